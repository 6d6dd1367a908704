package fingerprint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// The lock of a package is no part of its code, whatever it looks like.
func TestLocksDoNotCount(t *testing.T) {
	w := newWorld(t, "define")
	look := func(patterns ...string) map[string]string {
		p, found := definitions(t, w, patterns...)
		hashes := map[string]string{}
		for name, d := range found {
			f, err := p.Fingerprint(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			hashes[name] = fmt.Sprintln(f.Hash, f.Decls, d.File, d.Line)
		}
		return hashes
	}
	want := look("./good", "./steps")
	const text = "import \"github.com/TrilliantHealth/mops-go\"\n\nfunc init() { mops.Locked(`mops lock 1\n`) }\n"
	for name, c := range map[string]string{
		"good":                "package good\n\n" + text,
		"conflict above":      "<<<<<<< HEAD\npackage good\n=======\npackage good // 2\n>>>>>>> other\n\n" + text,
		"conflict within":     "package good\n\n" + text + "\n<<<<<<< HEAD\n",
		"another package":     "package other\n\n" + text,
		"another import":      "package good\n\nimport _ \"example.org/nowhere\"\n",
		"does not compile":    "package good\n\nfunc init() { mops.Unknown() }\n",
		"changes a variable":  "package good\n\nfunc init() { where = nil }\n",
		"is no Go":            "{",
		"a constraint of its": "//go:build never\n\npackage good\n\n" + text,
	} {
		t.Run(name, func(t *testing.T) {
			w.write(t, "good/mops_lock.go", c)
			w.write(t, "lib/mops_lock.go", c)
			defer os.Remove(filepath.Join(w.folder, "lib/mops_lock.go"))
			for _, patterns := range [][]string{{"./good", "./steps"}, {filepath.Join(w.folder, "good"), "./steps"}} {
				got := look(patterns...)
				for f, h := range want {
					if got[f] != h {
						t.Errorf("%v: %s: %s, not %s", patterns, f, got[f], h)
					}
				}
			}
		})
	}
}

// Nor does that of a module with a version, which counts by its content.
func TestLocksOfDependenciesDoNotCount(t *testing.T) {
	w := newWorld(t, "modules")
	want := w.fingerprint(t, ".")
	w.goCommand(t, "mod", "vendor")
	w.env = append(w.env, "GOFLAGS=")
	w.write(t, "vendor/example.org/dep/mops_lock.go", "package dep\n\nfunc init() {}\n")
	if got := w.fingerprint(t, "."); got.Hash != want.Hash {
		t.Errorf("%v", code.Diff(want, got))
	}
	p, err := Load(t.Context(), Config{Dir: w.folder, Env: w.env}, ".", "example.org/dep", "fmt")
	if err != nil {
		t.Fatal(err)
	}
	if all := p.Packages(); len(all) != 1 || all[0].Path != home {
		t.Errorf("%+v", all)
	}
}

// A folder with a lock and nothing else is a package still: the lock is to go.
func TestOnlyALock(t *testing.T) {
	w := newWorld(t, "define")
	for _, text := range []string{"package old\n\nimport \"github.com/TrilliantHealth/mops-go\"\n\nfunc init() { mops.Locked(``) }\n", "<<<<<<< \npackage old"} {
		w.write(t, "old/mops_lock.go", text)
		p, found := definitions(t, w, "./old", "./steps")
		if len(found) != 2 {
			t.Errorf("%v", found)
		}
		i := slices.IndexFunc(p.Packages(), func(each Package) bool { return each.Dir == filepath.Join(w.folder, "old") })
		if i < 0 || p.Packages()[i].Imports {
			t.Errorf("%+v", p.Packages())
		}
	}
}

// What a function calls through mops is named in Calls, or in those of what is named.
func TestMissing(t *testing.T) {
	w := newWorld(t, "define")
	missing := func(name string) string {
		t.Helper()
		p, found := definitions(t, w, "./good")
		f, err := p.Fingerprint(t.Context(), found[name])
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(p.Missing(found[name], f))
	}
	for _, name := range []string{"good/calling", "good/declared", "good/plain"} {
		if got := missing(name); got != "[]" {
			t.Errorf("%s: %s", name, got)
		}
	}
	w.replace(t, "good/good.go", "mops.Calls(Plain, steps.Clean))", "mops.Calls(Plain))")
	if got := missing("good/calling"); got != "[{steps/clean example.org/edits/steps.Clean}]" {
		t.Errorf("one of two: %s", got)
	}
	// Behind what is named, in a package that was not asked for.
	w.replace(t, "good/good.go", "mops.Calls(Plain))\n", "mops.Calls(steps.Both))\n")
	w.write(t, "steps/both.go", "package steps\n\nimport mops \"github.com/TrilliantHealth/mops-go\"\n\n"+
		"var Both = mops.Define(\"steps/both\", clean, mops.Calls(Clean))\n")
	if got := missing("good/calling"); got != "[{good/plain example.org/edits/good.Near}]" {
		t.Errorf("behind another: %s", got)
	}
}

// A function that one package declares and another implements belongs to the latter.
func TestImplementedElsewhere(t *testing.T) {
	w := newWorld(t, "define")
	w.write(t, "far/far.go", "package far\n\nimport mops \"github.com/TrilliantHealth/mops-go\"\n\n"+
		"var Far = mops.Declare[int, int](\"far/far\", mops.Version(\"7\"))\n")
	w.write(t, "body/body.go", "package body\n\nimport (\n\t\"context\"\n\n\t\"example.org/edits/far\"\n)\n\nimport _ \"github.com/TrilliantHealth/mops-go\"\n\n"+
		"func init() { far.Far.Implement(body) }\n\nfunc body(ctx context.Context, n int) (int, error) { return n, nil }\n")
	for _, patterns := range [][]string{{"./far", "./body"}, {"./body"}} {
		p, found := definitions(t, w, patterns...)
		d := found["far/far"]
		if len(found) != 1 || d.Version != "7" || d.Package != home+"/body" || d.Func != home+"/body.body" {
			t.Errorf("%v: %+v", patterns, d)
			continue
		}
		if _, err := p.Fingerprint(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	_, found := definitions(t, w, "./far")
	if d := found["far/far"]; d == nil || !errors.Is(d.Err, ErrNotImplemented) || d.Package != home+"/far" {
		t.Errorf("%+v", d)
	}
}

// What a fingerprint was made of: an edit elsewhere needs no new look.
func TestSources(t *testing.T) {
	w := newWorld(t, "modules")
	p, err := Load(t.Context(), Config{Dir: w.folder, Env: w.env}, ".")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, s := range p.Sources(home) {
		folders = append(folders, s.Dir)
		if s.GoMod == "" || s.ModuleDir == "" {
			t.Errorf("%+v", s)
		}
	}
	if !slices.Contains(folders, w.folder) || len(folders) < 2 || code.LockFile == "" {
		t.Errorf("%v", folders)
	}
	if p.Go() != "go1.26" && p.Workspace() != "" {
		t.Errorf("%s %s", p.Go(), p.Workspace())
	}
}
