package fingerprint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

func definitions(t *testing.T, w *world, patterns ...string) (*Program, map[string]*Definition) {
	t.Helper()
	p, err := Load(t.Context(), Config{Dir: w.folder, Env: w.env}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*Definition{}
	for _, d := range list {
		name := d.Name
		if name == "" {
			name = fmt.Sprintf("%s:%d", d.File, d.Line)
		}
		byName[name] = d
	}
	return p, byName
}

func TestDefinitions(t *testing.T) {
	w := newWorld(t, "define")
	p, found := definitions(t, w, "./good", "./steps")
	for name, want := range map[string]string{
		"good/plain":    "0 Plain example.org/edits/good.plain []",
		"good/version":  "3 Version example.org/edits/good.plain []",
		"good/calling":  "1 Calling example.org/edits/good.calling [{good/plain example.org/edits/good.Plain} {steps/clean example.org/edits/steps.Clean}]",
		"good/literal":  "0 Literal example.org/edits/good.Literal.func []",
		"good/instance": "0 Instance example.org/edits/lib.Same []",
		"good/inferred": "0 Inferred example.org/edits/lib.Same []",
		"good/other":    "0 Other example.org/edits/lib.Other []",
		"good/declared": "2 Declared example.org/edits/good.recursive [{good/plain example.org/edits/good.Plain}]",
		"good/local":    "0 local example.org/edits/good.plain []",
		"steps/clean":   "0 Clean example.org/edits/steps.clean []",
		"steps/measure": "0 Measure example.org/edits/steps.Measure.func []",
	} {
		d := found[name]
		if d == nil {
			t.Errorf("%s was not found", name)
			continue
		}
		if got := fmt.Sprintln(d.Version, d.Var, d.Func, d.Calls); got != want+"\n" || d.Err != nil {
			t.Errorf("%s: %s, not %s: %v", name, got, want, d.Err)
		}
		if _, err := p.Fingerprint(t.Context(), d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(found, name)
	}
	for name := range found {
		t.Errorf("%s was found, too", name)
	}
}

// Functions of mops are cut off: a caller names them, and does not change with them.
func TestCallees(t *testing.T) {
	w := newWorld(t, "define")
	get := func(name string) *code.Fingerprint {
		p, found := definitions(t, w, "./...")
		f, err := p.Fingerprint(t.Context(), found[name])
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	calling, declared, measure := get("good/calling"), get("good/declared"), get("steps/measure")
	want := []code.Callee{{Name: "good/plain", Var: "example.org/edits/good.Near"}, {Name: "steps/clean", Var: "example.org/edits/steps.Clean"}}
	if !slices.Equal(calling.Callees, want) {
		t.Errorf("%v, not %v", calling.Callees, want)
	}
	if want := []code.Callee{{Name: "good/declared", Var: "example.org/edits/good.Declared"}}; !slices.Equal(declared.Callees, want) {
		t.Errorf("%v, not %v", declared.Callees, want)
	}
	w.replace(t, "good/good.go", "return n + 1", "return n + 2")
	w.replace(t, "lib/lib.go", "any                                          { return nil }", "any { return 1 }")
	w.replace(t, "mops/mops.go", "return f.f(ctx, in) }", "return f.f(ctx, in) // mops }\n}")
	if changes := code.Diff(calling, get("good/calling")); changes != nil {
		t.Errorf("a function that is called, where it runs, and mops: %v", changes)
	}
	w.replace(t, "steps/steps.go", `mops.Define("steps/clean"`, `mops.Define("steps/cleaner"`)
	if get("good/calling").Hash == calling.Hash {
		t.Error("another function is called, and nothing has changed")
	}
	w.replace(t, "steps/steps.go", "Area() int { return 1 }", "Area() int { return 2 }")
	if got := lines(code.Diff(measure, get("steps/measure"))); got != "Square.Area changed (steps/steps.go:12)\n" {
		t.Errorf("the method of a registered type: %q", got)
	}
}

func TestDefinitionsThatCannotBeFollowed(t *testing.T) {
	w := newWorld(t, "define")
	p, found := definitions(t, w, "./bad")
	for name, want := range map[string]string{
		"bad/method":    "method is a method: its receiver's value",
		"bad/interface": "Run is a method of an interface",
		"bad/variable":  "held is a variable",
		"bad/result":    "result of an expression",
		"bad/declared":  "declared and not implemented",
		"bad/parameter": "fn is a parameter or a local variable",
		"bad/closure":   "uses the local variable k",
		"bad/bad.go:38": "no constant",
		"bad/bad.go:47": "in a loop",
		"bad/bad.go:50": "in a loop",
	} {
		d := found[name]
		if d == nil || d.Err == nil || !strings.Contains(d.Err.Error(), want) {
			t.Errorf("%s: %+v, not %q", name, d, want)
			continue
		}
		if _, err := p.Fingerprint(t.Context(), d); !errors.Is(err, d.Err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"bad/version", "bad/spread"} {
		if d := found[name]; d == nil || d.Err != nil || d.Version != "" {
			t.Errorf("%s: %+v has a version", name, d)
		}
	}
	if found["bad/test"] != nil {
		t.Error("a test defines a function of the package")
	}
}

func TestLoadFails(t *testing.T) {
	good := t.TempDir()
	writeFiles(t, good, map[string][]byte{
		"go.mod":           []byte("module example.org/edits\n\ngo 1.26.0\n"),
		"a.go":             []byte("package edits\n\nfunc root(n int) int { return n }\nfunc generic[T any]() {}\n"),
		"broken/broken.go": []byte("package broken\n\nfunc F() int { return \"\" }\n"),
		"syntax/syntax.go": []byte("package syntax\n\nfunc F( {\n"),
		"needs/needs.go":   []byte("package needs\n\nimport \"example.org/edits/broken\"\n\nfunc F() int { return broken.F() }\n"),
		"gone/gone.go":     []byte("package gone\n\nimport \"example.org/nowhere\"\n\nfunc F() int { return nowhere.F() }\n"),
		"two/a.go":         []byte("package two\n"),
		"two/b.go":         []byte("package three\n"),
	})
	ended, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("no more time")
	cancel(reason)
	for name, test := range map[string]struct {
		ctx      context.Context
		config   Config
		pattern  string
		function string // path and name
		want     string
	}{
		"no go command":       {t.Context(), Config{Dir: good}, "./...", "", "the go command"},
		"no module":           {t.Context(), Config{Dir: t.TempDir()}, "./...", "", "no go.mod here"},
		"no folder":           {t.Context(), Config{Dir: filepath.Join(good, "missing")}, "./...", "", "missing"},
		"no package":          {t.Context(), Config{Dir: good}, "./x/...", "", "no Go package matches ./x/..."},
		"no such platform":    {t.Context(), Config{Dir: good, Platform: "amiga/68k"}, "./...", home + ".root", "amiga/68k"},
		"no platform":         {t.Context(), Config{Dir: good, Platform: "linux"}, "./...", "", `"linux"`},
		"too much":            {t.Context(), Config{Dir: good, MaxSource: 10}, "./...", home + ".root", "more than 10"},
		"too late":            {ended, Config{Dir: good}, "./...", "", "no more time"},
		"no function":         {t.Context(), Config{Dir: good}, "./...", home + ".other", "no function other"},
		"generic":             {t.Context(), Config{Dir: good}, "./...", home + ".generic", "is generic"},
		"no such package":     {t.Context(), Config{Dir: good}, "./...", home + "/other.F", "not among the loaded"},
		"standard library":    {t.Context(), Config{Dir: good}, "std", "fmt.Sprint", "not among the loaded"},
		"types":               {t.Context(), Config{Dir: good}, "./...", home + "/broken.F", "broken/broken.go:3"},
		"syntax":              {t.Context(), Config{Dir: good}, "./...", home + "/syntax.F", "syntax.go:3"},
		"an import":           {t.Context(), Config{Dir: good}, "./...", home + "/needs.F", "package example.org/edits/broken does not compile"},
		"a missing import":    {t.Context(), Config{Dir: good}, "./...", home + "/gone.F", "example.org/nowhere"},
		"two packages":        {t.Context(), Config{Dir: good}, "./...", home + "/two.F", "found packages"},
		"a flag as a pattern": {t.Context(), Config{Dir: good}, "-x", "", "-x"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "no go command" {
				t.Setenv("PATH", t.TempDir())
			}
			p, err := Load(test.ctx, test.config, test.pattern)
			if err == nil && test.function != "" {
				i := strings.LastIndex(test.function, ".")
				_, err = p.Function(test.ctx, test.function[:i], test.function[i+1:])
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, which does not say %q", err, test.want)
			}
		})
	}
	if fingerprintOf(t, good, "./...").Hash == "" {
		t.Error("packages that do not compile are in the way of one that does")
	}
}

// A context that ends in the middle ends the work.
func TestCancel(t *testing.T) {
	w := newWorld(t, "modules")
	p, err := Load(t.Context(), Config{Dir: w.folder, Env: w.env}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if _, err := p.Function(ctx, home, "root"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if got, want := function(t, p, "root").Hash, w.fingerprint(t, "./...").Hash; got != want {
		t.Errorf("after that: %s, not %s", got, want)
	}
}

// The examples of this repository can all be followed, and name what they call.
func TestExamples(t *testing.T) {
	p, err := Load(t.Context(), Config{Dir: "../../.."}, "./examples/...")
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Definitions(t.Context())
	if err != nil || len(list) < 6 {
		t.Fatalf("%d functions: %v", len(list), err)
	}
	for _, d := range list {
		f, err := p.Fingerprint(t.Context(), d)
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		if d.Version == "" || len(f.Notes) > 0 {
			t.Errorf("%s: version %q, notes %v", d.Name, d.Version, f.Notes)
		}
		for _, each := range f.Decls {
			if strings.Contains(each.Name, "/internal/") && !strings.Contains(each.Name, "/examples/") {
				t.Errorf("%s counts mops itself: %s", d.Name, each.Name)
			}
		}
	}
}

// BenchmarkThisRepository is what a person waits for: its examples, with all of
// mops below them.
func BenchmarkThisRepository(b *testing.B) {
	for _, pattern := range []string{"./examples/gostats", "./examples/...", "./..."} {
		b.Run(pattern, func(b *testing.B) {
			for b.Loop() {
				p, err := Load(b.Context(), Config{Dir: "../../..", Env: os.Environ()}, pattern)
				if err != nil {
					b.Fatal(err)
				}
				list, err := p.Definitions(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				for _, d := range list {
					if _, err := p.Fingerprint(b.Context(), d); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
