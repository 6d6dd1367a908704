package module

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// tree unpacks a workspace in which two packages define functions, with a mops of
// its own that has what is needed to read them.
func tree(t *testing.T, more string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("what code the sources are, the go command says")
	}
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "")
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(workspace + more)).Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const workspace = `
-- one/go.mod --
module example.com/one

go 1.26.0

require github.com/TrilliantHealth/mops-go v0.0.0

replace github.com/TrilliantHealth/mops-go => ../mops
-- one/a/a.go --
package a

import (
	"context"

	mops "github.com/TrilliantHealth/mops-go"
)

var (
	Train = mops.Define("train", train, mops.Version("2"))
	Both  = mops.Define("both", train)
	Lit   = mops.Define("literal", func(context.Context, int) (int, error) { return 1, nil })
)

func train(context.Context, int) (int, error) { return 1, nil }
-- one/b/b.go --
package b

import (
	"context"

	mops "github.com/TrilliantHealth/mops-go"
)

var Both = mops.Define("both", other)

func other(context.Context, int) (int, error) { return 2, nil }
-- one/a/mops_lock.go --
package a

import mops "github.com/TrilliantHealth/mops-go"

func init() {
	mops.Locked("mops lock 1\n\nfunction train\nversion 2\nplatform linux/arm64\ngo go1.26\npackage example.com/one/a\ncode locked\n")
}
-- one/testdata/x/mops_lock.go --
this is no Go
-- two/go.mod --
module example.com/two

go 1.26.0

require github.com/TrilliantHealth/mops-go v0.0.0

replace github.com/TrilliantHealth/mops-go => ../mops
-- two/two.go --
package two

import (
	"context"

	mops "github.com/TrilliantHealth/mops-go"
)

var Two = mops.Define("two", func(context.Context, int) (int, error) { return 1, nil })
-- mops/go.mod --
module github.com/TrilliantHealth/mops-go

go 1.26.0
-- mops/mops.go --
package mops

import "context"

type Func[In, Out any] struct{ f func(context.Context, In) (Out, error) }

type FuncOption interface{ setFunc() }

func Define[In, Out any](name string, fn func(context.Context, In) (Out, error), options ...FuncOption) *Func[In, Out] {
	return &Func[In, Out]{fn}
}

func Version(v string) FuncOption { return nil }
func Locked(text string)          {}
`

const goWork = `-- go.work --
go 1.26.0

use (
	./one
	./two
)
`

func codeOf(t *testing.T, m *Module, name, defined string) *Code {
	t.Helper()
	c, err := m.Code(t.Context(), name, defined)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func around(t *testing.T, dir ...string) *Module {
	t.Helper()
	m, err := Around(filepath.Join(dir...))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCode(t *testing.T) {
	m := around(t, tree(t, ""), "one", "b") // from any folder of it

	c := codeOf(t, m, "train", "example.com/one/a.train")
	if c.Source == nil || c.Lock == nil || c.Lock.Hash != "locked" || !c.Edited() || c.Known() != c.Source ||
		c.Version != "2" || c.Func != "example.com/one/a.train" || c.Problem != "" {
		t.Errorf("%+v", c)
	}
	if same, equal := c.Accepts(c.Source.Hash); !same || equal != nil {
		t.Error("its own code is other code")
	}
	if same, equal := c.Accepts("locked"); same || equal != nil {
		t.Error("what was edited is the same as before")
	}
	if c := codeOf(t, m, "literal", ""); c.Source == nil || c.Lock != nil || c.Func != "example.com/one/a" || c.Version != "0" {
		t.Errorf("%+v", c)
	}

	// Two packages define a name: the record says which is meant.
	for defined, want := range map[string]string{"example.com/one/a.train": "example.com/one/a.train", "example.com/one/b.other": "example.com/one/b.other"} {
		if c := codeOf(t, m, "both", defined); c.Func != want || c.Source == nil {
			t.Errorf("%+v", c)
		}
	}
	if c := codeOf(t, m, "both", "example.com/elsewhere.train"); c.Known() != nil || !strings.Contains(c.Problem, "several packages here define both, example.com/one/a and example.com/one/b among them") {
		t.Errorf("%+v", c)
	}
	if c := codeOf(t, m, "two", "example.com/two"); c.Known() != nil || !strings.Contains(c.Problem, "two is not defined in the module at "+m.Dir) {
		t.Errorf("of another module: %+v", c)
	}
}

// The package that a record names is read before the others.
func TestFolder(t *testing.T) {
	m := around(t, tree(t, ""), "one")
	for defined, want := range map[string]string{
		"example.com/one.train": ".", "example.com/one/a.train": "a", "example.com/one/a": "a", "example.com/one/none.train": "-",
		"example.com/one2/a.train": "-", "example.com/other": "-", "": "-",
	} {
		if want != "-" {
			want = filepath.Join(m.Dir, want)
		} else {
			want = ""
		}
		if got := m.folder(defined); got != want {
			t.Errorf("%s lies in %q, not %q", defined, got, want)
		}
	}
	if c := codeOf(t, m, "literal", "example.com/one/a"); c.Source == nil || len(m.loaded) != 1 {
		t.Errorf("%+v, and %d times packages were loaded", c, len(m.loaded))
	}
	if c := codeOf(t, m, "both", "example.com/one/none.train"); c.Known() != nil || len(m.loaded) != 2 {
		t.Errorf("%+v, and %d times packages were loaded", c, len(m.loaded))
	}
}

func TestWorkspace(t *testing.T) {
	dir := tree(t, goWork)
	m := around(t, dir, "two")
	if m.Dir != dir {
		t.Errorf("%s is not the workspace", m.Dir)
	}
	if c := codeOf(t, m, "two", ""); c.Source == nil {
		t.Errorf("%+v", c)
	}
	if c := codeOf(t, m, "train", ""); c.Source == nil || c.Lock == nil {
		t.Errorf("of another module of it: %+v", c)
	}
	t.Setenv("GOWORK", "off")
	if m := around(t, dir, "two"); m.Dir != filepath.Join(dir, "two") {
		t.Errorf("%s, with GOWORK=off", m.Dir)
	}
}

func TestNoGoCommand(t *testing.T) {
	dir := tree(t, "")
	t.Setenv("PATH", "")
	m := around(t, dir, "one")
	c := codeOf(t, m, "train", "")
	if c.Known() == nil || c.Known().Hash != "locked" || c.Version != "2" || c.Func != "example.com/one/a" || !strings.Contains(c.Problem, "the go command is") {
		t.Errorf("%+v", c)
	}
	if c := codeOf(t, m, "literal", ""); c.Known() != nil || !strings.Contains(c.Problem, "the go command is") {
		t.Errorf("%+v", c)
	}
}

func TestBadLocks(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"no Go":       {"<<<<<<< HEAD\n", "run mops-lock to write it anew"},
		"no lock":     {"package a\n", `"" is not how a lock begins`},
		"newer":       {"package a\n\nconst lock = `mops lock 2\n`\n", "a newer release of mops wrote this lock"},
		"a lock less": {"", ""},
	} {
		dir := tree(t, "-- one/a/mops_lock.go --\n"+c.file)
		if c.file == "" {
			os.Remove(filepath.Join(dir, "one/a/mops_lock.go"))
		}
		m := around(t, dir, "one")
		if got := codeOf(t, m, "train", ""); got.Lock != nil || !strings.Contains(got.Problem, c.want) || c.want == "" && got.Problem != "" || strings.Contains(got.Problem, "\n") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNoModule(t *testing.T) {
	if _, err := Around("/"); err == nil || !strings.Contains(err.Error(), "there is no go.mod in") {
		t.Error(err)
	}
	if _, err := Around(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "is no folder") {
		t.Error(err)
	}
}
