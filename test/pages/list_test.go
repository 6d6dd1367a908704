package pages

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// list is a table that stands in a page, by its id.
type list struct {
	t  *testing.T
	p  *Tab
	id string
}

// column is what the rows in sight say in a column.
func (l list) column(n int) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#%s tbody tr:not([hidden])")].map(r => r.cells[%d].textContent.trim()).join()`, l.id, n)
}

func (l list) press(label string) {
	l.t.Helper()
	do(l.t, l.p, fmt.Sprintf(`[...document.querySelectorAll("#%s thead button")].find(b => b.textContent === %q).click()`, l.id, label))
}

// filter types a text and waits for how many rows are left, as the page says it.
func (l list) filter(text, left string) {
	l.t.Helper()
	do(l.t, l.p, fmt.Sprintf(`{ const f = document.querySelector("[data-filters=%s]"); f.focus(); f.value = %q; f.dispatchEvent(new Event("input")); }`, l.id, text))
	await(l.t, l.p, fmt.Sprintf(`document.querySelector("[data-count=%s]").textContent === %q`, l.id, left))
}

func (l list) sortedBy(want string) {
	l.t.Helper()
	is(l.t, l.p, fmt.Sprintf(`[...document.querySelectorAll("#%s [aria-sort]")].map(h => h.textContent + " " + h.getAttribute("aria-sort")).join()`, l.id), want)
}

func (l list) keys(keys ...string) {
	l.t.Helper()
	for _, k := range keys {
		if err := l.p.Do(chromedp.KeyEvent(k)); err != nil {
			l.t.Fatal(err)
		}
	}
}

// The functions of a root sort, filter and are gone through by keys, and stay so when
// there are more; without scripts they are there.
func TestFunctionsOfARoot(t *testing.T) {
	mops, b := needs(t)
	store := rootOf(t, Made{Calls: 100, Seed: 2, Start: time.Now().Add(-time.Minute).UTC(), Live: true})
	for function, calls := range map[string]int{"scan@1": 3, "align@2": 20, "zip@3": 100} {
		for n := range calls {
			write(t, store.Root(), path(function, 1, n)+"/result", strings.Repeat("x", 1000/calls))
		}
	}
	at := serve(t, mops, store.Root())
	p := tab(t, b, at+"/", View{})
	await(t, p, `document.querySelector("#functions table") !== null`)
	l := list{t, p, "functions"}
	is(t, p, l.column(0), "align@2,scan@1,zip@3")
	l.press("calls") // as numbers, the most first
	is(t, p, l.column(0), "zip@3,align@2,scan@1")
	l.sortedBy("calls descending")
	is(t, p, `document.getElementById("said").textContent`, "sorted by calls, descending")
	l.press("calls")
	is(t, p, l.column(0), "scan@1,align@2,zip@3")
	l.sortedBy("calls ascending")
	l.press("function")
	l.press("function")
	is(t, p, l.column(0), "zip@3,scan@1,align@2")
	l.press("calls")
	l.press("calls")

	l.filter("nothing-like-this", "0 of 3")
	l.filter("ALI forecast", "1 of 3")
	is(t, p, l.column(0), "align@2")
	write(t, store.Root(), path("alive@1", 1, 1)+"/result", "x")
	await(t, p, l.column(0)+` === "alive@1,align@2"`) // when the root is listed anew
	l.sortedBy("calls ascending")
	is(t, p, `document.querySelector("[data-count=functions]").textContent + " " + document.activeElement.dataset.filters`, "2 of 4 functions")
	l.keys(kb.Escape)
	await(t, p, l.column(0)+`.split(",").length === 4`)

	// The keyboard: from row to row, and to the page of a function.
	const active = `document.activeElement.textContent`
	do(t, p, `document.getElementById("functions").focus()`)
	l.keys(kb.ArrowDown, "j", kb.ArrowDown, "k")
	is(t, p, active, "scan@1")
	l.keys(kb.End, kb.ArrowDown)
	is(t, p, active, "zip@3")
	l.keys(kb.Home, kb.ArrowUp)
	is(t, p, active, "alive@1")
	l.keys("/")
	is(t, p, `document.activeElement.dataset.filters`, "runs")
	do(t, p, `document.querySelector("#functions thead button").focus()`)
	l.keys(kb.Enter) // on the button of a column
	l.sortedBy("function ascending")
	l.keys(kb.ArrowDown, kb.Enter)
	await(t, p, `document.body.dataset.kind === "function" && document.querySelector("h1").textContent === "align@2"`)

	runs := list{t, tab(t, b, at+"/", View{}), "runs"}
	runs.filter("elsewhere", "0 of 1")
	runs.filter("ada", "1 of 1")

	plain := tab(t, b, at+"/", View{NoScript: true})
	text, err := plain.Text("main")
	if err != nil || !strings.Contains(text, "align@2") || !strings.Contains(text, "forecast") {
		t.Errorf("without scripts: %q, %v", text, err)
	}
	small := tab(t, b, at+"/", View{Width: 400, Height: 800, Mobile: true})
	is(t, small, `document.scrollingElement.scrollWidth <= 400`, true)
}

// So do the calls under way, in a page that goes on and in a file.
func TestCallsUnderWay(t *testing.T) {
	mops, b := needs(t)
	began := time.Now().Add(-time.Minute).UTC()
	m := Made{Calls: 100, Seed: 2, Start: began, Live: true}
	store := rootOf(t, m)
	at := serve(t, mops, store.Root())
	p := tab(t, b, at+"/run/"+m.ID(), View{})
	l := list{t, p, "open-table"}
	stages := map[string]int{}
	const stage = 0
	all, err := Eval[string](p, l.column(stage))
	if err != nil {
		t.Fatal(err)
	}
	for s := range strings.SplitSeq(all, ",") {
		stages[s]++
	}
	l.press("stage")
	is(t, p, l.column(stage), strings.Repeat("pending,", stages["pending"])+strings.Repeat("queued,", stages["queued"])+strings.Repeat("running,", stages["running"])+strings.Repeat("starting,", stages["starting"])+strings.TrimSuffix(strings.Repeat("waiting,", stages["waiting"]), ","))
	l.press("for")
	is(t, p, `(() => { const v = [...document.querySelectorAll("#open-table tbody tr")].map(r => +r.cells[3].dataset.v); return v.length === 9 && v.every((x, i) => i === 0 || v[i - 1] >= x); })()`, true)
	l.filter("running", fmt.Sprintf("%d of 9", stages["running"]))

	// What is under way then is shown the same way.
	w := programs.Writer{Store: store, ID: m.ID()}
	age := time.Since(began).Seconds()
	open := func(n int, stage string, asked float64) programs.Open {
		return programs.Open{Call: int64(1000 + n), Function: "fit@7", Memo: path("fit@7", 9, n), Stage: stage, Asked: asked, Started: asked}
	}
	state := programs.State{At: age, Next: 3, Open: []programs.Open{open(1, "running", age-5), open(2, "running", age-50), open(3, "queued", age-70)}}
	if err := w.Append(t.Context(), state, nil); err != nil {
		t.Fatal(err)
	}
	await(t, p, `document.querySelector("[data-count=open-table]").textContent === "2 of 3"`)
	l.sortedBy("for descending")
	is(t, p, `document.activeElement.dataset.filters`, "open-table")
	do(t, p, `document.getElementById("open-table").focus()`)
	l.keys(kb.ArrowDown)
	is(t, p, `document.activeElement.getAttribute("href")`, "/call/"+path("fit@7", 9, 2))

	kept := list{t, tab(t, b, file(t, mops, store.Root(), m.ID()), View{}), "open-table"} // has no links
	kept.filter("queued", "1 of 3")
	do(t, kept.p, `document.getElementById("open-table").focus()`)
	kept.keys("j")
	is(t, kept.p, `document.activeElement.cells[0].textContent`, "queued")

	plain := tab(t, b, at+"/run/"+m.ID(), View{NoScript: true})
	if text, err := plain.Text("#open"); err != nil || !strings.Contains(text, "queued") {
		t.Errorf("without scripts: %q, %v", text, err)
	}
	if err := w.End(t.Context(), programs.End{End: time.Now(), State: programs.State{At: age}}); err != nil {
		t.Fatal(err)
	}
	await(t, p, `getComputedStyle(document.getElementById("open")).display === "none"`)
}
