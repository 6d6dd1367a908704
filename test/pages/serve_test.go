package pages

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// What is served goes on while the run does, and says so when it has ended or is
// removed.
func TestServe(t *testing.T) {
	mops, b := needs(t)
	old := Made{Calls: 200, Seed: 5, Start: time.Now().Add(-2 * time.Hour).UTC(), Records: true}
	store := rootOf(t, old)
	at := serve(t, mops, store.Root())

	id := words.RunID(time.Now(), 4711)
	w := programs.Writer{Store: store, ID: id}
	began := time.Now().UTC()
	if err := w.Begin(t.Context(), programs.Head{Program: "/bin/going", Host: "here", User: "ada", Start: began, Root: store.Root()}); err != nil {
		t.Fatal(err)
	}
	goesOn(t, store, id)
	state := func(calls, running int64, open ...programs.Open) programs.State {
		return programs.State{
			At: time.Since(began).Seconds(), Next: 3, Open: open,
			Functions: []programs.Function{{Name: "fit@7", Totals: programs.Totals{Calls: calls, Computed: calls - running, Running: running}}},
		}
	}
	line := func(n int, outcome string) []byte {
		at := time.Since(began).Seconds()
		text, err := programs.Encode(nil, programs.Call{Function: "fit@7", Memo: path("fit@7", 77, n), Outcome: outcome, Error: strings.Repeat("went wrong", len(outcome)%2), Asked: at, Started: at, Ended: at + 1, Worker: "pod-1"})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	open := programs.Open{Function: "fit@7", Memo: path("fit@7", 77, 9), Stage: "running", Asked: .1, Started: .2, Run: "2611231412-SkirtBus", Worker: "pod-7"}
	if err := w.Append(t.Context(), state(2, 1, open), line(1, "computed")); err != nil {
		t.Fatal(err)
	}
	usage := fmt.Sprintf(`{"format":"mops1-usage","began":%q,"seconds":[0,2,4],"cpu_seconds":[0,2,5],"memory_bytes":[1000000,2000000,3221225472],"swapped_bytes":[0,0,1048576]}`, began.Format(time.RFC3339))
	write(t, store.Root(), open.Memo+"/runs/"+open.Run+".usage", usage)

	root := tab(t, b, at+"/", View{})
	await(t, root, `document.querySelector("#runs tbody").rows.length === 2 && document.querySelector("#functions table") !== null`)
	await(t, root, `document.querySelector("#runs tbody").rows[0].textContent.includes("running") && document.querySelector("#runs tbody").rows[0].textContent.includes("going")`)
	is(t, root, `document.querySelector("#runs tbody a").getAttribute("href")`, "/run/"+id)
	is(t, root, `document.getElementById("live").textContent`, "live")

	p := tab(t, b, at+"/run/"+id, View{})
	is(t, p, `document.getElementById("state").textContent.trim()`, "running")
	is(t, p, `document.getElementById("calls-n").textContent`, "2")
	is(t, p, `["running", "pod-7", "1.2", "3.0 GiB", "1.0 MiB swapped"].every(s => document.querySelector("#open tbody").textContent.includes(s))`, true)
	is(t, p, `document.querySelector("#open polyline").getAttribute("points").split(" ").length`, 3)
	is(t, p, `document.querySelector(".failure") === null`, true)

	// A call ends, another fails: the page that is open shows it, and keeps what its
	// reader was at.
	do(t, p, `document.getElementById("filter").focus(); window.same = true`)
	if err := w.Append(t.Context(), state(3, 1, open), append(line(2, "computed"), line(3, "failed")...)); err != nil {
		t.Fatal(err)
	}
	await(t, p, `document.getElementById("calls-n").textContent === "4" && document.querySelector(".failure") !== null`)
	is(t, p, `window.same && document.activeElement.id === "filter"`, true)
	is(t, p, `document.querySelector(".vt-row").children[0].textContent`, "failed")
	is(t, p, `document.querySelector(".failure").textContent.includes("Its record is gone")`, true)

	// The end.
	if err := w.End(t.Context(), programs.End{End: time.Now(), Exit: 3, State: state(4, 0)}); err != nil {
		t.Fatal(err)
	}
	await(t, p, `document.getElementById("state").textContent.includes("failed, exit 3") && document.getElementById("live").textContent === ""`)
	await(t, root, `document.querySelector("#runs tbody").rows[0].textContent.includes("failed 3")`)

	for _, page := range []*Tab{root, p} {
		for _, request := range page.Requests() {
			if !strings.HasPrefix(request, at+"/") {
				t.Errorf("a page asks for %s", request)
			}
		}
	}
}

// A run that is removed while its page is open.
func TestRemovedMeanwhile(t *testing.T) {
	mops, b := needs(t)
	m := Made{Calls: 100, Seed: 2, Start: time.Now().Add(-10 * time.Second).UTC(), Live: true}
	store := rootOf(t, m)
	at := serve(t, mops, store.Root())
	p := tab(t, b, at+"/run/"+m.ID(), View{})
	await(t, p, `document.getElementById("live").textContent === "live"`)
	if err := programs.Remove(t.Context(), store, m.ID(), func(int64) {}); err != nil {
		t.Fatal(err)
	}
	await(t, p, `document.getElementById("live").textContent === "removed meanwhile"`)
	is(t, p, `document.querySelectorAll(".vt-row").length > 0`, true) // what was known is still there
	p.forgive("404")
}

// A call that is removed, or damaged, while pages lead to it or show it.
func TestCallGoneMeanwhile(t *testing.T) {
	mops, b := needs(t)
	m := Made{Calls: 3000, Seed: 3, Start: time.Now().Add(-2 * time.Hour).UTC(), Records: true}
	store := rootOf(t, m)
	at := serve(t, mops, store.Root())
	run := tab(t, b, at+"/run/"+m.ID(), View{})
	links, err := Eval[[]string](run, `[...document.querySelectorAll(".failure a")].map(a => a.getAttribute("href"))`)
	if err != nil || len(links) < 2 {
		t.Fatal(links, err)
	}
	removed, damaged := links[0], links[1]
	folder := func(link string) string {
		return filepath.Join(strings.TrimPrefix(store.Root(), "file://"), strings.TrimPrefix(link, "/call/"))
	}
	if err := os.RemoveAll(folder(removed)); err != nil {
		t.Fatal(err)
	}
	write(t, store.Root(), strings.TrimPrefix(damaged, "/call/")+"/error", "mops1\n</pre><script>window.hacked = true</script>\x00")

	do(t, run, `document.querySelector(".failure a").click()`)
	await(t, run, `document.body.dataset.kind === "problem"`)
	is(t, run, `document.querySelector("h1").textContent + document.querySelector("pre").textContent.includes("may have been removed, by mops gc")`, "There is nothing heretrue")
	run.forgive("404")

	call := tab(t, b, at+damaged, View{})
	is(t, call, `document.querySelector("#records").textContent.includes("damaged") && window.hacked === undefined`, true)

	fresh := tab(t, b, at+"/run/"+m.ID(), View{}) // the run is shown, without what the records had
	is(t, fresh, `[...document.querySelectorAll(".failure")].some(f => f.textContent.includes("Its record is gone"))`, true)
	is(t, fresh, `document.querySelectorAll(".vt-row").length > 0`, true)
	path := strings.TrimPrefix(file(t, mops, store.Root(), m.ID()), "file://") // and so does the file
	if page, err := os.ReadFile(path); err != nil || !strings.Contains(string(page), "Its record is gone") {
		t.Error("the file does not say what is gone", err)
	}
}

// The pages of a function and of its calls.
func TestFunctionAndCall(t *testing.T) {
	mops, b := needs(t)
	m := Made{Calls: 3000, Seed: 3, Start: time.Now().Add(-2 * time.Hour).UTC(), Records: true}
	store := rootOf(t, m)
	at := serve(t, mops, store.Root())
	p := tab(t, b, at+"/", View{})
	await(t, p, `document.querySelector("#functions tbody") !== null`)
	do(t, p, `[...document.querySelectorAll("#functions a")].find(a => a.textContent === "fit@7").click()`)
	await(t, p, `document.body.dataset.kind === "function" && document.querySelector(".vt-row a") !== null`)
	is(t, p, `document.querySelector(".vt-row").children[1].textContent`, "failed")
	do(t, p, `document.querySelector(".vt-row a").click()`)
	await(t, p, `document.body.dataset.kind === "call" && document.querySelector("pre.log") !== null`)
	is(t, p, `document.querySelector("pre.message") !== null && document.querySelector("pre.log").textContent.includes("loss 0.0250")`, true)
	do(t, p, `[...document.querySelectorAll("a")].find(a => a.textContent === "all of it").click()`)
	await(t, p, `document.contentType === "text/plain" && document.body.textContent.includes("step   0")`)

	plain := tab(t, b, at+"/function/mops1/forecast/fit@7", View{NoScript: true})
	text, err := plain.Text("main")
	if err != nil || !strings.Contains(text, "failed") || !strings.Contains(text, "result") {
		t.Errorf("without scripts: %q, %v", text, err)
	}
}

// The server is there for this machine alone.
func TestLoopbackOnly(t *testing.T) {
	mops, _ := needs(t)
	store := rootOf(t)
	at, err := url.Parse(serve(t, mops, store.Root()))
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), at.Port()), time.Second); err == nil {
			c.Close()
			t.Errorf("it answers at %v", ip)
		}
	}
	request, err := http.NewRequest(http.MethodGet, at.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "rebound.example:" + at.Port()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if said, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("%s: %s", answer.Status, said)
	}
	before := files(t, store.Root())
	for _, page := range []string{"/", "/function/mops1/x@1", "/run/2611231412-SkirtBus"} {
		if answer, err := http.Get(at.String() + page); err == nil {
			answer.Body.Close()
		}
	}
	if after := files(t, store.Root()); after != before {
		t.Errorf("%d files in the root became %d", before, after)
	}
}

// files is how many files a root has.
func files(t *testing.T, root string) (n int) {
	filepath.WalkDir(strings.TrimPrefix(root, "file://"), func(string, os.DirEntry, error) error { n++; return nil })
	return n
}

func write(t *testing.T, root, key, content string) {
	t.Helper()
	at := filepath.Join(strings.TrimPrefix(root, "file://"), filepath.FromSlash(key))
	os.MkdirAll(filepath.Dir(at), 0o777)
	if err := os.WriteFile(at, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// How mops page says what it wrote, and what is not there.
func TestPageCommand(t *testing.T) {
	mops, _ := needs(t)
	m := Made{Calls: 50, Seed: 4, Start: noon}
	store := rootOf(t, m)
	page := func(arguments ...string) (string, error) {
		command := exec.Command(mops, append([]string{"page"}, arguments...)...)
		command.Dir = t.TempDir()
		command.Env = append(os.Environ(), "MOPS_ROOT="+store.Root())
		said, err := command.CombinedOutput()
		return string(said), err
	}
	said, err := page("--json", "latest")
	var wrote struct {
		Run, File string
		Bytes     int64
	}
	if err != nil || json.Unmarshal([]byte(said), &wrote) != nil || wrote.Run != m.ID() || filepath.Base(wrote.File) != "mops-run-"+m.ID()+".html" {
		t.Fatalf("%s: %v", said, err)
	}
	if info, err := os.Stat(wrote.File); err != nil || info.Size() != wrote.Bytes || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	if said, err := page("-o", "-", m.ID()[:12]); err != nil || !strings.HasPrefix(said, "<!DOCTYPE html>") {
		t.Errorf("%.200s: %v", said, err)
	}
	if said, err := page("2001010000-None"); err == nil || !strings.Contains(said, "no such run") {
		t.Errorf("%s: %v", said, err)
	}
}
