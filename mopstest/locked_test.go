package mopstest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/mopstest"
)

// heard is a test that keeps what it is told.
type heard struct {
	testing.TB
	errors, logs []string
}

func (h *heard) Error(args ...any) { h.errors = append(h.errors, fmt.Sprint(args...)) }
func (h *heard) Errorf(format string, args ...any) {
	h.errors = append(h.errors, fmt.Sprintf(format, args...))
}
func (h *heard) Log(args ...any) { h.logs = append(h.logs, fmt.Sprint(args...)) }

func TestLockedSaysWhatMopsLockSays(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.26.0\n\nrequire github.com/TrilliantHealth/mops-go v0.0.0\n\n" +
			"replace github.com/TrilliantHealth/mops-go => ./mops\n",
		"mops/go.mod":  "module github.com/TrilliantHealth/mops-go\n\ngo 1.26.0\n",
		"mops/mops.go": "package mops\n\nfunc Define[In, Out any](name string, fn func(In) Out) int { return 0 }\n",
		"a/a.go": "package a\n\nimport mops \"github.com/TrilliantHealth/mops-go\"\n\nvar A = mops.Define(\"a\", run)\n\n" +
			"func run(n int) int { return n }\n\nfunc helper(name string) { mops.Define(name, run) }\n",
		"b/b.go": "package b\n\nimport mops \"github.com/TrilliantHealth/mops-go\"\n\nvar B = mops.Define(\"b\", undefined)\n",
	} {
		path := filepath.Join(folder, name)
		err := os.MkdirAll(filepath.Dir(path), 0o777)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("MOPS_CACHE", t.TempDir())
	t.Chdir(folder)

	h := &heard{TB: t}
	mopstest.Locked(h, "./a")
	if want := []string{"a@0 (a/a.go:5) is not locked: run mops-lock"}; fmt.Sprint(h.errors) != fmt.Sprint(want) {
		t.Errorf("%q, not %q", h.errors, want)
	}
	if len(h.logs) != 1 || !strings.Contains(h.logs[0], "(a/a.go:9) cannot be locked") {
		t.Errorf("%q", h.logs)
	}
	h = &heard{TB: t}
	mopstest.Locked(h)
	if len(h.errors) != 2 {
		t.Errorf("with a package that does not compile: %q", h.errors)
	}
}
