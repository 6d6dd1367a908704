package fingerprint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

const home = "example.org/edits"

// Each archive of testdata/edits is a module and an edit of it. Its first line
// says whether the edit changes the function root, how strictly that holds, and
// what the edit is; lines that begin with "names:" say what is named. Files under
// after/ take the place of others; those under gone/ go.
func TestEdits(t *testing.T) {
	archives, err := filepath.Glob("testdata/edits/*.txtar")
	if err != nil || len(archives) < 27 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			e := readEdit(t, path)
			before := fingerprintOf(t, e.before, "./...")
			after := fingerprintOf(t, e.after, "./...")
			changes := code.Diff(before, after)
			if changed := before.Hash != after.Hash; changed != e.changed {
				t.Fatalf("changed: %v; the answer is %v\n%v", changed, e.changed, changes)
			}
			text := lines(changes)
			for _, name := range e.names {
				if !strings.Contains(text, name+"\n") && !strings.Contains(text, name+" ") {
					t.Errorf("%q is not named:\n%s", name, text)
				}
			}
			if len(e.names) > 0 && len(changes) > len(e.names)+2 {
				t.Errorf("more is named than has changed:\n%s", text)
			}
			for _, f := range []*code.Fingerprint{before, after} {
				for _, noted := range e.notes {
					if !slices.ContainsFunc(f.Notes, func(n code.Note) bool { return strings.Contains(n.String(), noted) }) {
						t.Errorf("no note says %q: %v", noted, f.Notes)
					}
				}
			}
		})
	}
}

// Each archive of testdata/rules is a module with many functions; its first lines
// say what is replaced by what, and which of the functions have changed then.
func TestRules(t *testing.T) {
	archives, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil || len(archives) < 10 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			e := readEdit(t, path)
			before, after := loaded(t, e.before), loaded(t, e.after)
			for name, changed := range e.functions {
				f, g := function(t, before, name), function(t, after, name)
				changes := code.Diff(f, g)
				if (f.Hash != g.Hash) != changed {
					t.Errorf("%s: changed: %v; the answer is %v: %v", name, !changed, changed, changes)
				}
				if len(changes) > 0 && (changes[0].Before == nil && changes[0].After == nil) {
					t.Errorf("%s: nothing is named", name)
				}
				for _, named := range e.names {
					if changed && !strings.Contains(lines(changes), named) {
						t.Errorf("%s: %q is not named:\n%s", name, named, lines(changes))
					}
				}
			}
		})
	}
}

func loaded(t *testing.T, folder string) *Program {
	t.Helper()
	p, err := Load(t.Context(), Config{Dir: folder}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func function(t *testing.T, p *Program, name string) *code.Fingerprint {
	t.Helper()
	d, err := p.Function(t.Context(), home, name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.Fingerprint(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func lines(changes []code.Change) (text string) {
	for _, c := range changes {
		text += c.String() + "\n"
	}
	return text
}

type edit struct {
	changed       bool
	names, notes  []string
	functions     map[string]bool // which have changed
	before, after string          // folders
}

func readEdit(t *testing.T, path string) edit {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e := edit{before: t.TempDir(), after: t.TempDir(), functions: map[string]bool{}}
	var replace [][2]string
	for i, line := range strings.Split(string(archive.Comment), "\n") {
		word, rest, _ := strings.Cut(line, ": ")
		switch {
		case i == 0 && strings.HasPrefix(word, "changed, "):
			e.changed = true
		case word == "names":
			e.names = append(e.names, rest)
		case word == "note":
			e.notes = append(e.notes, rest)
		case word == "changed" || word == "same":
			for _, name := range strings.Fields(rest) {
				e.functions[name] = word == "changed"
			}
		case word == "replace":
			old, now, ok := strings.Cut(rest, " => ")
			if !ok {
				t.Fatalf("%q replaces by nothing", line)
			}
			replace = append(replace, [2]string{old, now})
		}
	}
	before, after := map[string][]byte{}, map[string][]byte{}
	before["go.mod"] = []byte("module " + home + "\n\ngo 1.26.0\n")
	after["go.mod"] = before["go.mod"]
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "after/"); ok {
			after[name] = f.Data
		} else if name, ok := strings.CutPrefix(f.Name, "gone/"); ok {
			delete(after, name)
		} else {
			before[f.Name], after[f.Name] = f.Data, f.Data
		}
	}
	for _, r := range replace {
		n := 0
		for name, text := range after {
			n += strings.Count(string(text), r[0])
			after[name] = []byte(strings.ReplaceAll(string(text), r[0], r[1]))
		}
		if n != 1 {
			t.Fatalf("%q is there %d times", r[0], n)
		}
	}
	writeFiles(t, e.before, before)
	writeFiles(t, e.after, after)
	return e
}

func writeFiles(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fingerprintOf is that of the function root of the module in a folder.
func fingerprintOf(t *testing.T, folder string, patterns ...string) *code.Fingerprint {
	t.Helper()
	return fingerprintWith(t, Config{Dir: folder}, patterns...)
}

func fingerprintWith(t *testing.T, config Config, patterns ...string) *code.Fingerprint {
	t.Helper()
	p, err := Load(t.Context(), config, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return function(t, p, "root")
}
