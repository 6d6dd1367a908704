package lockfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/snapshot"
)

// world is the module of testdata/module.txtar.
type world struct {
	t      *testing.T
	folder string
	cache  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOWORK", "")
	archive, err := txtar.ParseFile("testdata/module.txtar")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, folder: t.TempDir(), cache: t.TempDir()}
	for _, f := range archive.Files {
		w.write(f.Name, string(f.Data))
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.folder, filepath.FromSlash(name)) }

func (w *world) write(name, text string) {
	w.t.Helper()
	err := os.MkdirAll(filepath.Dir(w.path(name)), 0o777)
	if err == nil {
		err = os.WriteFile(w.path(name), []byte(text), 0o666)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) replace(name, old, now string) {
	w.t.Helper()
	text := w.read(name)
	if strings.Count(text, old) != 1 {
		w.t.Fatalf("%s: %q is not there once", name, old)
	}
	w.write(name, strings.Replace(text, old, now, 1))
}

// look looks as if it were an hour later: nobody has written anything just now.
func (w *world) look(patterns ...string) *Result {
	w.t.Helper()
	now := func() time.Time { return time.Now().Add(time.Hour) }
	r, err := Look(w.t.Context(), Config{Dir: w.folder, CacheDir: w.cache, Now: now, Patterns: patterns})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) lock() {
	w.t.Helper()
	if _, err := w.look().Write(); err != nil {
		w.t.Fatal(err)
	}
}

// What nobody has edited is not read again; what somebody has, is.
func TestRemembers(t *testing.T) {
	if testing.Short() {
		t.Skip("fifty looks")
	}
	w := newWorld(t)
	w.lock()
	recalled := func() bool { return w.look("./train", "./clean").memory == nil }
	if !recalled() {
		t.Fatal("who has written the locks knows the code, and reads it again")
	}
	edit := func(name, old, now string) func() { return func() { w.replace(name, old, now) } }
	for name, c := range map[string]struct {
		edit     func()
		undo     func()
		problems int // -1: nothing is looked at
	}{
		"the function":              {edit("train/train.go", "len(words)", "len(words)+1"), nil, 1},
		"a comment":                 {edit("train/train.go", "func unused", "// Unused.\nfunc unused"), nil, 0},
		"a package of its":          {edit("inner/lib/lib.go", "10", "20"), nil, 1},
		"a module that is replaced": {edit("near/near.go", "7", "8"), nil, 1},
		"a file is new":             {func() { w.write("inner/lib/new.go", "package lib\n\nfunc init() {}\n") }, func() { os.Remove(w.path("inner/lib/new.go")) }, 0},
		"a file is embedded":        {edit("train/words.txt", "words", "more words"), nil, 1},
		"go.mod":                    {edit("go.mod", "go 1.26.0", "go 1.26.1"), nil, 0},
		"go.mod of a neighbour":     {edit("near/go.mod", "go 1.26.0", "go 1.26"), nil, 0},
		"a module in between":       {func() { w.write("inner/go.mod", "module example.com/inner\n") }, func() { os.Remove(w.path("inner/go.mod")) }, 0},
		"a workspace":               {func() { w.write("go.work", "go 1.26.0\n\nuse .\n") }, func() { os.Remove(w.path("go.work")) }, 0},
		"the lock":                  {edit("train/mops_lock.go", "version 2", "version 1"), nil, 1},
		"a lock is gone":            {func() { os.Remove(w.path("train/mops_lock.go")) }, nil, 1},

		"another package":      {edit("other/other.go", "return 1", "return 2"), nil, -1},
		"a test":               {func() { w.write("train/train_test.go", "package train") }, func() { os.Remove(w.path("train/train_test.go")) }, -1},
		"what is not embedded": {edit("train/notes.txt", "notes", "more notes"), nil, -1},
		"times":                {func() { w.write("train/train.go", w.read("train/train.go")) }, nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			before := map[string]string{}
			for _, name := range []string{"train/train.go", "inner/lib/lib.go", "near/near.go", "train/words.txt", "go.mod", "near/go.mod", "train/mops_lock.go", "other/other.go", "train/notes.txt"} {
				before[name] = w.read(name)
			}
			c.edit()
			r := w.look("./train", "./clean")
			if (r.memory == nil) != (c.problems < 0) {
				t.Errorf("remembered: %v", r.memory == nil)
			}
			if got := len(r.Problems()); got != max(c.problems, 0) && name != "a module in between" {
				t.Errorf("%q", r.Problems())
			}
			if name == "a module in between" && len(r.Errs) == 0 {
				t.Errorf("a package is gone, and nothing is said: %q", r.Problems())
			}
			for name, text := range before {
				w.write(name, text)
			}
			if c.undo != nil {
				c.undo()
			}
			w.look("./train", "./clean") // and it is remembered anew
		})
		if !recalled() {
			t.Errorf("after %s: nothing is remembered", name)
		}
	}
}

// For another platform, other tags, another release, a damaged snapshot: look.
func TestRemembersForWhom(t *testing.T) {
	w := newWorld(t)
	w.lock()
	exact := func(edit func(*Config)) bool {
		t.Helper()
		c := Config{Dir: w.folder, CacheDir: w.cache, Patterns: []string{"./train"}, Now: func() time.Time { return time.Now().Add(time.Hour) }}
		edit(&c)
		r, err := Look(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return r.memory != nil
	}
	for name, edit := range map[string]func(*Config){
		"tags":     func(c *Config) { c.Tags = []string{"gpu"} },
		"platform": func(c *Config) { c.Platform = "linux/arm64" },
		"no cache": func(c *Config) { c.CacheDir = "" },
		"another release": func(c *Config) {
			s, err := snapshot.Load(c.CacheDir, w.path("train"))
			if err != nil {
				t.Fatal(err)
			}
			if s.Writer = "v0.0.1"; s.Save(c.CacheDir, w.path("train")) != nil {
				t.Fatal("not saved")
			}
		},
	} {
		if !exact(edit) {
			t.Errorf("%s: it was looked at in another way", name)
		}
		exact(func(*Config) {})
		if exact(func(*Config) {}) {
			t.Errorf("%s: the next look, too", name)
		}
	}
	// While somebody writes, nothing is kept: the next look could overlook it.
	if !exact(func(c *Config) {
		c.CacheDir = t.TempDir()
		c.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	}) {
		t.Error("nothing was there")
	}
}

// What a program reads at its start.
func TestSnapshotOfPackage(t *testing.T) {
	w := newWorld(t)
	w.lock()
	lock := func() code.Locked {
		_, text, _ := strings.Cut(w.read("train/mops_lock.go"), begin)
		l, err := code.ParseLock(strings.TrimSuffix(text, "`)\n}\n"))
		if err != nil {
			t.Fatal(err)
		}
		return l.Functions[0]
	}
	get := func() *snapshot.Snapshot {
		t.Helper()
		s, err := snapshot.Load(w.cache, w.path("train"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := get()
	if !s.Fresh("go1.26.8") || s.Hash("train", "2") != lock().Hash || !s.Functions[0].Accepted {
		t.Errorf("%+v", s)
	}
	w.replace("inner/lib/lib.go", "10", "20")
	if s.Fresh("go1.26.8") {
		t.Error("edited, and fresh")
	}
	w.look("./train")
	s = get()
	if !s.Fresh("go1.26.8") || s.Hash("train", "2") == lock().Hash || s.Functions[0].Accepted {
		t.Errorf("%+v", s)
	}
	r := w.look()
	if err := r.Declare([]string{"train"}, "a test"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Write(); err != nil {
		t.Fatal(err)
	}
	s = get()
	if !s.Fresh("go1.26.8") || s.Hash("train", "2") != lock().Hash || !s.Functions[0].Accepted || len(lock().Same) != 1 {
		t.Errorf("%+v", s)
	}
}

// A line names some ten changes, and says how many there are.
func TestManyChanges(t *testing.T) {
	w := newWorld(t)
	text, calls := "package lib\n", "0"
	for i := range 15 {
		text += fmt.Sprintf("\nfunc f%d() int { return 1 }\n", i)
		calls += fmt.Sprintf(" + f%d()", i)
	}
	w.write("inner/lib/many.go", text)
	w.replace("inner/lib/lib.go", "min(n, 10)", calls)
	w.lock()
	w.write("inner/lib/many.go", strings.ReplaceAll(text, "return 1", "return 2"))
	got := w.look("./train").Problems()
	if len(got) != 1 || strings.Count(got[0], "changed") != mostNamed || !strings.Contains(got[0], ", and 5 more: set another Version") {
		t.Errorf("%q", got)
	}
	if got := w.look("./train").Differences(); len(got) != 16 {
		t.Errorf("%q", got)
	}
}

// Two who write at once: one of them is last, and no lock is half a lock.
func TestWriteRefused(t *testing.T) {
	w := newWorld(t)
	w.lock()
	w.replace("clean/clean.go", "return n,", "return n + 1,")
	w.replace("train/train.go", `Version("2")`, `Version("3")`)
	before := w.read("train/mops_lock.go")
	written, err := w.look().Write()
	if !errors.Is(err, ErrRefused) || len(written) > 0 || w.read("train/mops_lock.go") != before {
		t.Errorf("%v, %v", written, err)
	}
	entries, err := os.ReadDir(w.path("train"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s was left", e.Name())
		}
	}
}
