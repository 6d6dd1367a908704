package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// programVariable makes of the test binary a program that makes calls, until there is the
// file that it names.
const programVariable = "TEST_PAGES_PROGRAM"

// Order is an input that holds what must not do anything on a page, and what must not
// be there.
type Order struct {
	City  string
	Text  string
	Token string `mops:"-"`
	Note  []byte
	Tags  map[string]int
}

const (
	hostile = "</pre></script><script>window.hacked = true</script><img src=x onerror=\"window.hacked = true\">\x1b[31m\u202e\x00"
	secret  = "hunter2-must-not-show"
)

var handle = mops.Define("handle", func(ctx context.Context, in Order) (map[string]string, error) {
	if in.City == "Atlantis" {
		return nil, errors.New("no such city: " + hostile + strings.Repeat("long ", 2<<20))
	}
	return map[string]string{"city": in.City, "text": in.Text}, nil
})

// slow takes memory and time, so that its worker leaves samples.
var slow = mops.Define("slow", func(ctx context.Context, _ int) (int, error) {
	fmt.Println("slow begins", hostile)
	memory := make([]byte, 96<<20)
	for i := range memory {
		memory[i] = byte(i)
	}
	for seen := false; !seen && ctx.Err() == nil; {
		for i := range memory {
			memory[i]++
		}
		_, err := os.Stat(os.Getenv(programVariable))
		seen = err == nil
	}
	return int(memory[17]), ctx.Err()
})

func program(ctx context.Context) error {
	_, err := handle.Call(ctx, Order{City: "Oslo", Text: hostile + strings.Repeat("long ", 2<<20), Token: secret, Note: []byte(hostile), Tags: map[string]int{hostile: 1}})
	if err != nil {
		return err
	}
	if _, err := handle.Call(ctx, Order{City: "Atlantis", Token: secret}); err == nil {
		return errors.New("that should have failed")
	}
	_, err = slow.With(mops.On(subprocess.New())).Call(ctx, 9)
	return err
}

// The pages of a program that is really run, while it does and after that.
func TestProgram(t *testing.T) {
	mops, b := needs(t)
	root := "file://" + filepath.ToSlash(t.TempDir())
	at := serve(t, mops, root)
	seen := filepath.Join(t.TempDir(), "seen")
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), programVariable+"="+seen, "MOPS_ROOT="+root)
	var said strings.Builder
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()

	// The first page shows the run by itself when there is one.
	p := tab(t, b, at+"/", View{})
	var err error
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if err = p.reload(); err != nil {
			t.Fatal(err)
		}
		if found, _ := Eval[bool](p, `document.querySelector("#runs a") !== null`); found {
			break
		}
	}
	do(t, p, `document.querySelector("#runs a").click()`)
	await(t, p, `document.body.dataset.kind === "run" && document.getElementById("state").textContent.trim() === "running"`)
	await(t, p, `document.querySelector("#open .spark") !== null`) // samples, while it runs
	await(t, p, `document.querySelector(".failure .error").textContent.includes("no such city: </pre></script><script>")`)
	if err := os.WriteFile(seen, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	await(t, p, `document.getElementById("state").textContent.trim() === "finished"`)
	is(t, p, `window.hacked === undefined`, true)
	await(t, p, `[...document.querySelectorAll(".vt-row:not([hidden])")].map(r => r.children[0].textContent + " " + r.children[1].textContent).join() === "failed handle@0,computed handle@0,computed slow@0"`)

	calls, err := Eval[[]string](p, `(() => { const all = []; for (const r of [...document.querySelectorAll(".vt-row:not([hidden])")]) { r.click(); all.push(document.querySelector("#detail a").getAttribute("href")); } return all; })()`)
	if err != nil || len(calls) != 3 {
		t.Fatalf("%v, %v", calls, err)
	}
	for i, want := range [][]string{
		{"no such city: </pre></script><script>window.hacked", `City: "Atlantis"`, "wanted by"},
		{`City: "Oslo"`, `Text: "</pre></script><script>`, "(10,485,", "show all"},
		{"slow begins </pre>", "memory, up to", "CPUs, up to", "History"},
	} {
		for _, suffix := range []string{"", "?full"} {
			call := tab(t, b, at+calls[i]+suffix, View{})
			text, err := Eval[string](call, `document.body.innerText`)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range want {
				if !strings.Contains(text, w) && suffix == "" {
					t.Errorf("%s lacks %q:\n%.3000s", calls[i], w, text)
				}
			}
			if strings.Contains(text, secret) {
				t.Errorf("%s shows what was to be left out", calls[i])
			}
			is(t, call, `window.hacked === undefined && document.querySelectorAll("script").length === 1`, true)
		}
	}
	address := file(t, mops, root, "latest")
	page, err := os.ReadFile(strings.TrimPrefix(address, "file://"))
	if err != nil || strings.Contains(string(page), secret) {
		t.Errorf("the file shows what was to be left out, or %v", err)
	}
}
