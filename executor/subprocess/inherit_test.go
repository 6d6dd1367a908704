//go:build linux || darwin

package subprocess_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
)

// TestInheritance: a worker inherits once, and its own children nothing.
func TestInheritance(t *testing.T) {
	_, printed := run(t, subprocess.New(), invocation("inherits"))
	if want := "inherited true\ninherited again false\npipes 1 2\n"; printed != want {
		t.Errorf("the worker says %q, want %q", printed, want)
	}
	// A worker that never asks lets them through; the variable alone is no use.
	e := subprocess.New(subprocess.Command("/bin/sh", "-c", fmt.Sprintf("exec %s 3<&- 4<&-", os.Args[0])))
	_, printed = run(t, e, invocation("inherits"))
	if want := "inherited false\ninherited again false\npipes 1 2\n"; printed != want {
		t.Errorf("a process without the pipes says %q, want %q", printed, want)
	}
	if _, ok := inherit.Take(); ok {
		t.Error("the test itself is no worker")
	}
}

// wantOrphansLines checks what an orphan drained from its own output.
func wantOrphansLines(t *testing.T, file string) {
	t.Helper()
	drained, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&want, "orphan's line %d\n", i)
	}
	got := strings.TrimPrefix(string(drained), "said before\n")
	if got != want.String() {
		t.Errorf("the orphan drained %d bytes, want %d; they end in %q", len(got), want.Len(), got[max(0, len(got)-50):])
	}
}

func TestOrphanOfTheDead(t *testing.T) {
	g := newGate(t)
	file := filepath.Join(t.TempDir(), "drained")
	for role, ended := range map[string]func(){
		"orphan":       func() { wantOrphansLines(t, file) },
		"dying orphan": func() {}, // it does end
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleVariable+"=orchestrator", "MOPS_TEST_SUBPROCESS_ORPHAN="+role,
			g.env(), fileVariable+"="+file, "GOTRACEBACK=all")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		handle, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		g.accept(t).Close()
		cmd.Process.Kill()
		cmd.Wait()
		w, err := subprocess.New().Attach(t.Context(), executor.Invocation{Function: "f@1"}, strings.TrimSpace(handle))
		if err == nil { // else it has ended already
			t.Cleanup(func() { w.Stop(context.Background()) })
			wait(t, w)
		}
		ended()
	}
}

// TestOrphanByRelease: the worker sees its release at once, though others that
// were started meanwhile still live.
func TestOrphanByRelease(t *testing.T) {
	g := newGate(t)
	file := filepath.Join(t.TempDir(), "drained")
	e := subprocess.New()
	w := start(t, e, invocation("orphan", g.env(), fileVariable+"="+file))
	v := g.accept(t)
	other := start(t, e, invocation("holder", g.env()))
	held := g.accept(t)
	again, err := e.Attach(t.Context(), executor.Invocation{Function: "f@1"}, w.Handle())
	if err != nil {
		t.Fatal(err)
	}
	v.Close()
	w.Release()
	wait(t, again)
	wantOrphansLines(t, file)
	held.Close()
	wait(t, other)
}
