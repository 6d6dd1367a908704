package fingerprint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
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
			changes := Diff(before, after)
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
			for _, f := range []*Fingerprint{before, after} {
				for _, noted := range e.notes {
					if !slices.ContainsFunc(f.Notes, func(n Note) bool { return strings.Contains(n.String(), noted) }) {
						t.Errorf("no note says %q: %v", noted, f.Notes)
					}
				}
			}
		})
	}
}

func lines(changes []Change) (text string) {
	for _, c := range changes {
		text += c.String() + "\n"
	}
	return text
}

type edit struct {
	changed       bool
	names, notes  []string
	before, after string // folders
}

func readEdit(t *testing.T, path string) edit {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e := edit{before: t.TempDir(), after: t.TempDir()}
	for i, line := range strings.Split(string(archive.Comment), "\n") {
		switch {
		case i == 0 && strings.HasPrefix(line, "changed, "):
			e.changed = true
		case i == 0 && !strings.HasPrefix(line, "same, "):
			t.Fatalf("%q begins with no answer", line)
		case strings.HasPrefix(line, "names: "):
			e.names = append(e.names, line[len("names: "):])
		case strings.HasPrefix(line, "note: "):
			e.notes = append(e.notes, line[len("note: "):])
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
func fingerprintOf(t *testing.T, folder string, patterns ...string) *Fingerprint {
	t.Helper()
	return fingerprintWith(t, Config{Dir: folder}, patterns...)
}

func fingerprintWith(t *testing.T, config Config, patterns ...string) *Fingerprint {
	t.Helper()
	p, err := Load(t.Context(), config, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Function(t.Context(), home, "root")
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.Fingerprint(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
