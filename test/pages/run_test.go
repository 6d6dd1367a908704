package pages

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// The page of a run of 100,000 calls: it opens in 2 s, asks for nothing else, and
// sorts, filters and scrolls without stalling.
func TestManyCalls(t *testing.T) {
	mops, b := needs(t)
	m := Made{Calls: 100_000, Seed: 100_000, Start: noon, Records: true}
	store := rootOf(t, m)
	address := file(t, mops, store.Root(), m.ID())

	// Others may be at work on this machine, so what counts is the time of the
	// page's own thread, unless the clock on the wall says less.
	var p *Tab
	wall, own := 1e9, 1e9
	for range 3 {
		if p != nil {
			p.Close()
		}
		p = tab(t, b, address, View{})
		ready, err := Eval[float64](p, `performance.getEntriesByName("mops-ready")[0].startTime`)
		if err != nil {
			t.Fatal(err)
		}
		spent, err := p.threadTime()
		if err != nil {
			t.Fatal(err)
		}
		if wall, own = min(wall, ready), min(own, spent); wall < 2000 {
			break
		}
	}
	t.Logf("ready after %.0f ms, of which its thread worked at most %.0f ms", wall, own)
	if min(wall, own) > 2000 {
		t.Errorf("the page is ready after %.0f ms, and its thread worked %.0f ms", wall, own)
	}
	if requests := p.Requests(); len(requests) != 1 || requests[0] != address {
		t.Errorf("it asks for %v", requests)
	}
	is(t, p, `document.querySelectorAll(".vt-row").length < 100`, true)
	is(t, p, `document.querySelector(".vt").getAttribute("aria-rowcount")`, "100002")

	// First what failed.
	const first = `document.querySelector(".vt-row").children`
	is(t, p, first+`[0].textContent`, "failed")
	column := func(label string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".vt-head span")].find(s => s.textContent.startsWith(%q))`, label)
	}
	timed := func(what, script string) {
		t.Helper()
		before, err := p.threadTime()
		if err != nil {
			t.Fatal(err)
		}
		took, err := Eval[float64](p, `(async () => { const began = performance.now(); `+script+`; await new Promise(r => requestAnimationFrame(() => setTimeout(r))); return performance.now() - began; })()`)
		if err != nil {
			t.Fatal(err)
		}
		after, err := p.threadTime()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s takes %.0f ms, of which its thread worked at most %.0f ms", what, took, after-before)
		if min(took, after-before) > 1000 {
			t.Errorf("%s takes %.0f ms, and its thread worked %.0f ms", what, took, after-before)
		}
	}
	timed("sorting", column("ran")+`.firstChild.click()`)
	is(t, p, column("ran")+`.getAttribute("aria-sort")`, "descending")
	is(t, p, first+`[1].textContent`, "plan@2") // which waits for all others
	timed("sorting anew", column("call")+`.firstChild.click()`)
	is(t, p, first+`[2].textContent <= document.querySelectorAll(".vt-row")[1].children[2].textContent`, true)
	timed("scrolling to the end", `document.querySelector(".vt").scrollTop = 1e9`)
	await(t, p, `[...document.querySelectorAll(".vt-row:not([hidden])")].some(r => r.getAttribute("aria-rowindex") === "100002")`)

	filter := func(text string) {
		t.Helper()
		timed("filtering by "+text, fmt.Sprintf(`const f = document.getElementById("filter"); f.value = %q; f.dispatchEvent(new Event("input")); await new Promise(r => setTimeout(r, 80))`, text))
	}
	filter("oslo fit")
	is(t, p, `document.querySelector(".vt-row").children[9].textContent.includes("<script>alert")`, true)
	is(t, p, `document.getElementById("calls-n").textContent.endsWith("of 100,001")`, true)
	words, err := Eval[string](p, first+`[2].textContent`)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{words, words[:len(words)-1], strings.ToUpper(words)} {
		filter(text)
		is(t, p, `document.getElementById("calls-n").textContent`, "1 of 100,001")
		is(t, p, first+`[2].textContent`, words)
	}
	filter("nothing-like-this")
	is(t, p, `document.querySelector(".vt-none").hidden`, false)
	filter("")
	timed("one outcome", `[...document.querySelectorAll("#outcome-filter button")].find(b => b.textContent === "cancelled").click()`)
	is(t, p, `[...document.querySelectorAll(".vt-row:not([hidden])")].every(r => r.children[0].textContent === "cancelled")`, true)
	do(t, p, `[...document.querySelectorAll("#outcome-filter button")].find(b => b.textContent === "cancelled").click()`)
	timed("one function", `const s = document.getElementById("function-filter"); s.value = "score@3"; s.dispatchEvent(new Event("change"))`)
	is(t, p, `[...document.querySelectorAll(".vt-row:not([hidden])")].every(r => r.children[1].textContent === "score@3")`, true)
	timed("zooming", `document.getElementById("zoom-in").click()`)
	timed("rows by worker", `document.getElementById("by-worker").click()`)
}

// What a reader does with a page.
func TestRunPage(t *testing.T) {
	mops, b := needs(t)
	m := Made{Calls: 2000, Seed: 3, Start: noon, Records: true}
	store := rootOf(t, m)
	address := file(t, mops, store.Root(), m.ID())
	p := tab(t, b, address, View{})
	if err := p.Do(call(browser.SetPermission, browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted})); err != nil {
		t.Log("no permission to read the clipboard:", err)
	}

	// Failures come first, with the error, the stack and the log.
	is(t, p, `document.getElementById("failures").compareDocumentPosition(document.getElementById("timeline")) & Node.DOCUMENT_POSITION_FOLLOWING`, 4)
	is(t, p, `document.querySelector(".failure").open`, true)
	is(t, p, `[...document.querySelectorAll(".failure")].every(f => f.querySelector("pre.log").textContent.includes("loss 0.0250"))`, true)
	is(t, p, `[...document.querySelectorAll(".failure")].find(f => f.textContent.includes("panic")).querySelector("pre.stack").textContent.includes("fit.go:118")`, true)
	is(t, p, `document.querySelectorAll("script").length`, 2) // none came out of an error

	// The keyboard: into the table, to a row, its details, and back.
	if err := p.Do(chromedp.KeyEvent("/")); err != nil {
		t.Fatal(err)
	}
	is(t, p, `document.activeElement.id`, "filter")
	do(t, p, `document.querySelector(".vt").focus()`)
	if err := p.Do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent("j"), chromedp.KeyEvent(kb.ArrowUp)); err != nil {
		t.Fatal(err)
	}
	is(t, p, `document.querySelector(".vt-row.active").getAttribute("aria-rowindex")`, "3")
	is(t, p, `document.getElementById(document.querySelector(".vt").getAttribute("aria-activedescendant")).getAttribute("aria-selected")`, "true")
	if err := p.Do(chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	is(t, p, `document.activeElement.id`, "detail")
	words, err := Eval[string](p, `document.querySelector(".vt-row.active").children[2].textContent`)
	if err != nil {
		t.Fatal(err)
	}
	is(t, p, `document.querySelector("#detail h2").textContent.endsWith(`+fmt.Sprintf("%q", words)+`)`, true)

	// Copying, by a click and by a key.
	uri, err := Eval[string](p, `document.querySelector("#detail .goon code").textContent`)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(uri, store.Root()+"/mops1/forecast/") || !strings.Contains(uri, words+".") || len(uri) < 64 {
		t.Errorf("the address is %s", uri)
	}
	for i, want := range []string{uri, "mops inspect " + uri, "mops logs " + uri, "mops replay " + uri + " -- ./program", "mops lineage " + uri} {
		do(t, p, `document.querySelector("#said").textContent = ""`)
		if err := p.Do(chromedp.Click(chromedp.CSS(fmt.Sprintf("#detail .goon button:nth-of-type(%d)", i+1)))); err != nil {
			t.Fatal(err)
		}
		await(t, p, `document.querySelector("#said").textContent === `+fmt.Sprintf("%q", "copied: "+want))
		is(t, p, `navigator.clipboard.readText()`, want)
	}
	await(t, p, `document.querySelector("#detail .goon button").textContent === "URI"`)
	do(t, p, `{ const b = document.querySelector("#detail .goon button"); window.labels = []; new MutationObserver(() => labels.push(b.textContent)).observe(b, { childList: true }); }`)
	if err := p.Do(chromedp.KeyEvent("c")); err != nil {
		t.Fatal(err)
	}
	await(t, p, `labels.join() === "copied,URI"`)                                                                      // for a moment
	do(t, p, `{ const b = document.querySelector("#detail .goon button"); labels.length = 0; b.click(); b.click(); }`) // as one
	await(t, p, `labels.at(-1) === "URI"`)
	is(t, p, `labels.join()`, "copied,URI")
	if err := p.Do(chromedp.KeyEvent(kb.Escape)); err != nil {
		t.Fatal(err)
	}
	is(t, p, `document.getElementById("detail").hidden`, true)
	is(t, p, `document.activeElement.className`, "vt")

	// The timeline: stages differ by form, a part can be zoomed into, a bar leads to
	// its call.
	await(t, p, `+document.getElementById("canvas").dataset.drawn > 0`)
	is(t, p, `document.querySelectorAll("#legend li").length >= 5`, true)
	do(t, p, `document.getElementById("lanes").scrollIntoView({block: "center"}); document.getElementById("lanes").focus()`)
	if err := p.Do(chromedp.KeyEvent("+"), chromedp.KeyEvent("+"), chromedp.KeyEvent(kb.ArrowRight)); err != nil {
		t.Fatal(err)
	}
	is(t, p, `(() => { const [a, b] = document.getElementById("lanes").dataset.view.split(" ").map(Number); return a > 0 && b > a; })()`, true)
	if err := p.Do(chromedp.KeyEvent("0")); err != nil {
		t.Fatal(err)
	}
	is(t, p, `document.getElementById("lanes").dataset.view.startsWith("0.000 ")`, true)
	at, err := Eval[[]float64](p, `(() => { const r = document.getElementById("canvas").getBoundingClientRect(); return [r.left, r.top, r.width]; })()`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Do(chromedp.DragAndDropXY(at[0]+400, at[1]+60, at[0]+600, at[1]+60)); err != nil {
		t.Fatal(err)
	}
	await(t, p, `!document.getElementById("lanes").dataset.view.startsWith("0.000 ")`)
	if err := p.Do(chromedp.MouseClickXY(at[0]+at[2]/2, at[1]+31)); err != nil { // plan, which takes all the time
		t.Fatal(err)
	}
	await(t, p, `!document.getElementById("detail").hidden && document.querySelector("#detail h2").textContent.startsWith("plan@2 ")`)

	// The graphs.
	is(t, p, `[...document.querySelectorAll("#graph-at .node text:nth-of-type(1)")].map(n => n.textContent).sort().join()`, "day@4,fetch@11,fit@7,plan@2,program,score@3")
	do(t, p, `document.getElementById("graph-calls").click()`)
	await(t, p, `document.querySelector("#graph-at .chosen") !== null && document.querySelectorAll("#graph-at .node").length > 3`)
	do(t, p, `[...document.querySelectorAll("#graph-at .node.many")].find(n => n.textContent.includes("of day@4")).dispatchEvent(new Event("click"))`)
	is(t, p, `document.getElementById("function-filter").value`, "day@4")
	is(t, p, `document.querySelector(".vt-row").children[1].textContent`, "day@4")

	// A script that somebody gets into the page does not run.
	do(t, p, `window.ran = false; document.addEventListener("securitypolicyviolation", () => { window.refused = true; }); const s = document.createElement("script"); s.textContent = "window.ran = true"; document.body.append(s)`)
	await(t, p, `window.refused === true`)
	is(t, p, `window.ran`, false)
	p.forgive("Content Security Policy")
	if requests := p.Requests(); len(requests) != 1 {
		t.Errorf("it asks for %v", requests)
	}
}

// A page in the dark, on a small screen, on paper and without scripts.
func TestHowItIsLookedAt(t *testing.T) {
	mops, b := needs(t)
	m := Made{Calls: 3000, Seed: 3, Start: noon, Records: true}
	store := rootOf(t, m)
	address := file(t, mops, store.Root(), m.ID())
	light := `(() => { const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number); return (r + g + b) / 3; })()`
	pixel := `(() => { const c = document.getElementById("canvas"); const d = c.getContext("2d").getImageData(c.width - 3, 4, 1, 1).data; return (d[0] + d[1] + d[2]) / 3; })()`

	t.Run("dark", func(t *testing.T) {
		p := tab(t, b, address, View{Dark: true})
		await(t, p, `+document.getElementById("canvas").dataset.drawn > 0`)
		is(t, p, light+` < 60 && `+pixel+` < 60`, true)
	})
	t.Run("light", func(t *testing.T) {
		p := tab(t, b, address, View{})
		await(t, p, `+document.getElementById("canvas").dataset.drawn > 0`)
		is(t, p, light+` > 200 && `+pixel+` > 200`, true)
	})
	t.Run("small", func(t *testing.T) {
		p := tab(t, b, address, View{Width: 360, Height: 740, Mobile: true})
		is(t, p, `document.scrollingElement.scrollWidth <= 360`, true)
		do(t, p, `document.querySelector(".vt-row").click()`)
		is(t, p, `(() => { const r = document.getElementById("detail").getBoundingClientRect(); return r.left >= 0 && r.right <= 360 && r.bottom <= 741; })()`, true)
	})
	t.Run("paper", func(t *testing.T) {
		p := tab(t, b, address, View{})
		do(t, p, `window.dispatchEvent(new Event("beforeprint"))`)
		is(t, p, `document.querySelectorAll(".vt-row:not([hidden])").length`, 500)
		is(t, p, `[...document.querySelectorAll("details")].every(d => d.open)`, true)
		do(t, p, `window.dispatchEvent(new Event("afterprint"))`)
		is(t, p, `document.querySelectorAll(".vt-row:not([hidden])").length < 100 && !document.querySelectorAll("details")[1].open`, true)
		paper := tab(t, b, address, View{Print: true})
		is(t, paper, `getComputedStyle(document.querySelector(".filter")).display + getComputedStyle(document.querySelector(".copy")).display`, "nonenone")
	})
	t.Run("without scripts", func(t *testing.T) {
		p := tab(t, b, address, View{NoScript: true})
		text, err := p.Text("main")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"The first 2,000 of 3,001 calls", "forecast-", "loss 0.0250", "computed", "ML-1742", "saved by the memo"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing", want)
			}
		}
		for _, hidden := range []string{"by worker", "all functions", "copy"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%q does nothing there", hidden)
			}
		}
	})
}
