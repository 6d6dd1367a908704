package purity_test

import (
	"context"
	"errors"
	"go/importer"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
	"github.com/TrilliantHealth/mops-go/internal/trust/purity"
)

const modules = `
-- go.work --
go 1.26.0

use (
	./main
	./side
)
-- main/go.mod --
module example.org/main

go 1.26.0

require (
	example.org/replaced v1.0.0
	github.com/TrilliantHealth/mops-go v1.0.0
)

replace (
	example.org/replaced => ../replaced
	github.com/TrilliantHealth/mops-go => ../mops
)
-- main/a.go --
package main

import (
	"context"

	"example.org/replaced"
	"example.org/side"
	"github.com/TrilliantHealth/mops-go"
)

var (
	F = mops.Define("p/side", func(ctx context.Context, in int) (int, error) { return side.Hour(), nil })
	G = mops.Define("p/replaced", func(ctx context.Context, in int) (int, error) { return replaced.Hour() })
)

func main() {}
-- side/go.mod --
module example.org/side

go 1.26.0
-- side/side.go --
package side

import "time"

func Hour() int { return time.Now().Hour() }
-- replaced/go.mod --
module example.org/replaced

go 1.26.0
-- replaced/lib.go --
package replaced

import "os"

func Hour() (int, error) { return os.Getpagesize() + len(os.Args), nil }
-- mops/go.mod --
module github.com/TrilliantHealth/mops-go

go 1.26.0
`

// Modules of the workspace and those that folders replace are the user's own.
func TestModules(t *testing.T) {
	folder := unpackModules(t)
	p, err := fingerprint.Load(t.Context(), fingerprint.Config{Dir: filepath.Join(folder, "main"), Env: plain()}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range checkAll(t, p) {
		got = append(got, f.String())
	}
	want := []string{
		"p/side -> side.Hour: time.Now (example.org/side/side.go:5) reads the clock: pass the time in",
		"p/replaced -> replaced.Hour: os.Args (example.org/replaced/lib.go:5) depends on the process or its machine: pass in what it holds",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	if testing.Short() {
		return
	}
	var vetted []string
	for _, d := range vet(t, filepath.Join(folder, "main"), plain()) {
		vetted = append(vetted, d.message)
		if !strings.Contains(d.place, "main"+string(filepath.Separator)+"a.go:1") {
			t.Errorf("%s is shown at %s, not where the function is defined", d.message, d.place)
		}
	}
	if slices.Sort(vetted); !slices.Equal(vetted, slices.Sorted(slices.Values(want))) {
		t.Errorf("vet: %q, not %q", vetted, want)
	}
}

func plain() []string { return append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=", "GOPROXY=off") }

func unpackModules(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	mops, err := txtar.ParseFile(filepath.Join("testdata", "vendor.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse([]byte(modules))
	for _, f := range mops.Files {
		if filepath.Base(f.Name) == "mops.go" {
			archive.Files = append(archive.Files, txtar.File{Name: "mops/mops.go", Data: f.Data})
		}
	}
	for _, f := range archive.Files {
		write(t, folder, f.Name, f.Data)
	}
	return folder
}

func checkAll(t *testing.T, p *fingerprint.Program) (all []*purity.Finding) {
	t.Helper()
	definitions, err := p.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checker := purity.NewChecker(p)
	for _, d := range definitions {
		findings, err := checker.Check(t.Context(), d)
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
		all = append(all, findings...)
	}
	return all
}

// A package that does not compile is one error, of both.
func TestDoesNotCompile(t *testing.T) {
	folder := unpackModules(t)
	write(t, folder, "side/side.go", []byte("package side\n\nfunc Hour() int { return \"\" }\n"))
	p, err := fingerprint.Load(t.Context(), fingerprint.Config{Dir: filepath.Join(folder, "main"), Env: plain()}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Definitions(t.Context())
	if err == nil || strings.Count(err.Error(), "side.go:3") != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if testing.Short() {
		return
	}
	command := exec.Command("go", "vet", "-vettool="+tool(t), "./...")
	command.Dir, command.Env = filepath.Join(folder, "main"), plain()
	out, err := command.CombinedOutput()
	if err == nil || strings.Count(string(out), "side.go:3") != 1 || strings.Contains(string(out), "panic") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What cannot be followed has the error that says so, and a context that has
// ended ends the work.
func TestCheckFails(t *testing.T) {
	folder := unpackModules(t)
	write(t, folder, "main/b.go", []byte(`package main

import (
	"context"

	"github.com/TrilliantHealth/mops-go"
)

func closure(k int) {
	mops.Define("p/closure", func(ctx context.Context, in int) (int, error) { return in * k, nil })
}
`))
	p, err := fingerprint.Load(t.Context(), fingerprint.Config{Dir: filepath.Join(folder, "main"), Env: plain()}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := p.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions {
		if d.Name != "p/closure" {
			continue
		}
		if _, err := purity.NewChecker(p).Check(t.Context(), d); err == nil || !errors.Is(err, d.Err) {
			t.Errorf("%v, not %v", err, d.Err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := purity.NewChecker(p).Check(ended, definitions[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// The examples of this repository are pure, and that is known at once.
func TestExamples(t *testing.T) {
	p, err := fingerprint.Load(t.Context(), fingerprint.Config{Dir: "../../.."}, "./examples/...")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range checkAll(t, p) {
		t.Error(f)
	}
}

// Each name in the lists is one of the standard library, or looking for it would
// find nothing.
func TestLists(t *testing.T) {
	standard := importer.Default()
	for path, names := range purity.Names() {
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			continue
		}
		p, err := standard.Import(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for _, name := range names {
			if !slices.ContainsFunc(declared(p), func(d string) bool { return purity.Like(name, d) }) {
				t.Errorf("package %s has no %s", path, name)
			}
		}
	}
}

// declared are the functions, variables and methods of a package.
func declared(p *types.Package) (all []string) {
	for _, name := range p.Scope().Names() {
		o := p.Scope().Lookup(name)
		all = append(all, name)
		if _, isType := o.(*types.TypeName); isType {
			for m := range types.NewMethodSet(types.NewPointer(types.Unalias(o.Type()))).Methods() {
				all = append(all, name+"."+m.Obj().Name())
			}
		}
	}
	return all
}

func BenchmarkExamples(b *testing.B) {
	p, err := fingerprint.Load(b.Context(), fingerprint.Config{Dir: "../../.."}, "./examples/...")
	if err != nil {
		b.Fatal(err)
	}
	definitions, err := p.Definitions(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		checker := purity.NewChecker(p)
		for _, d := range definitions {
			if _, err := checker.Check(b.Context(), d); err != nil {
				b.Fatal(err)
			}
		}
	}
}
