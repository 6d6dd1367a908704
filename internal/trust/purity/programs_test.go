package purity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
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

// module is that of all programs.
const module = "example.org/programs"

// program is a function with a fault, and the same without it. A line that ends
// in //bad is in the first only, one in //good in the second only. The comment of
// the file ends with the findings.
type program struct {
	name string
	want []string
}

// unpack writes all programs, each as two folders of one module.
func unpack(t *testing.T) (folder string, all []program) {
	t.Helper()
	folder = t.TempDir()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "vendor.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		write(t, folder, f.Name, f.Data)
	}
	names, err := filepath.Glob(filepath.Join("testdata", "programs", "*.txtar"))
	if err != nil || len(names) < 30 {
		t.Fatalf("%d programs: %v", len(names), err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := program{name: strings.TrimSuffix(filepath.Base(name), ".txtar")}
		for _, line := range strings.Split(string(archive.Comment), "\n") {
			if strings.HasPrefix(line, "p/") || strings.HasPrefix(line, "forecast/") {
				p.want = append(p.want, line)
			}
		}
		if len(p.want) == 0 {
			t.Fatalf("%s says no findings", name)
		}
		all = append(all, p)
		for _, f := range archive.Files {
			for _, kind := range []string{"bad", "good"} {
				home := p.name + "/" + kind
				write(t, folder, home+"/"+f.Name, bytes.ReplaceAll(variant(f.Data, kind), []byte("PROGRAM"), []byte(module+"/"+home)))
			}
		}
	}
	return folder, all
}

func write(t *testing.T, folder, name string, text []byte) {
	t.Helper()
	path := filepath.Join(folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
}

// variant leaves out the lines of others. All lines keep their numbers.
func variant(text []byte, kind string) []byte {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		for _, marked := range []string{"bad", "good", "never"} {
			if rest, ok := strings.CutSuffix(line, " //"+marked); ok {
				if lines[i] = rest; marked != kind {
					lines[i] = ""
				}
			}
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// compare holds findings, by the program and the kind that they are in, against
// what is wanted.
func compare(t *testing.T, all []program, found map[string][]string) {
	t.Helper()
	for _, p := range all {
		for _, kind := range []string{"bad", "good"} {
			home := p.name + "/" + kind
			var want []string
			if kind == "bad" {
				want = p.want
			}
			var got []string
			for _, line := range found[home] {
				got = append(got, strings.ReplaceAll(line, "("+home+"/", "("))
			}
			slices.Sort(got)
			if want := slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
				t.Errorf("%s:\ngot\t%s\nwant\t%s", home, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		}
	}
}

// homeOf is a program and its kind, of a package.
func homeOf(pkg string) string {
	parts := strings.Split(strings.TrimPrefix(pkg, module+"/"), "/")
	return strings.Join(parts[:min(2, len(parts))], "/")
}

func TestPrograms(t *testing.T) {
	folder, all := unpack(t)
	p, err := fingerprint.Load(t.Context(), fingerprint.Config{Dir: folder, Env: environment()}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := p.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checker := purity.NewChecker(p)
	found := map[string][]string{}
	for _, d := range definitions {
		findings, err := checker.Check(t.Context(), d)
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
		for _, f := range findings {
			home := homeOf(d.Package)
			found[home] = append(found[home], f.String())
		}
	}
	compare(t, all, found)
}

// The same programs, package by package.
func TestProgramsByVet(t *testing.T) {
	if testing.Short() {
		t.Skip("left out: builds a command")
	}
	folder, all := unpack(t)
	if !hasC(t) {
		os.RemoveAll(filepath.Join(folder, "c"))
		all = slices.DeleteFunc(all, func(p program) bool { return p.name == "c" })
	}
	found := map[string][]string{}
	for _, each := range vet(t, folder, environment()) {
		home := homeOf(each.pkg)
		found[home] = append(found[home], each.message)
	}
	compare(t, all, found)
}

// hasC says that the go command builds packages with C here.
func hasC(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("go", "env", "CGO_ENABLED", "CC").Output()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Fields(string(out))
	if len(parts) < 2 || parts[0] != "1" {
		return false
	}
	_, err = exec.LookPath(parts[1])
	return err == nil
}

// tool builds the command.
func tool(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mops-pure.exe") // a name that all systems run
	if out, err := exec.Command("go", "build", "-o", path, "../../../cmd/mops-pure").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// diagnostic is what go vet prints.
type diagnostic struct{ pkg, place, message string }

// vet runs the analyser.
func vet(t *testing.T, folder string, environment []string) (all []diagnostic) {
	t.Helper()
	command := exec.Command("go", "vet", "-json", "-vettool="+tool(t), "./...")
	command.Dir, command.Env = folder, environment
	var failed bytes.Buffer
	command.Stderr = &failed
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &failed)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var packages map[string]map[string][]struct{ Posn, Message string }
		if err := decoder.Decode(&packages); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for pkg, analyzers := range packages {
			for _, d := range analyzers["mopspure"] {
				pkg, _, _ = strings.Cut(pkg, " ") // p [p.test]
				all = append(all, diagnostic{pkg, d.Posn, d.Message})
			}
		}
	}
}

func environment() []string { return append(os.Environ(), "GOFLAGS=-mod=vendor", "GOWORK=off") }
