package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// world is a folder with the inputs of a package, a minute old.
type world struct {
	t      *testing.T
	folder string
	in     Inputs
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("GOENV", filepath.Join(t.TempDir(), "env"))
	for _, key := range heeded {
		t.Setenv(key, "")
	}
	w := &world{t: t, folder: t.TempDir()}
	for name, text := range map[string]string{
		"go.mod": "module m\n", "a/a.go": "package a", "a/b.s": "TEXT", "a/notes.txt": "notes", "a/a_test.go": "package a", "a/mops_lock.go": "lock",
		"a/data/x.txt": "x", "a/data/y.txt": "y", "a/data/.hidden": "h", "a/data/sub/z.txt": "z", "lib/lib.go": "package lib", "other/other.go": "package other",
	} {
		w.write(name, text)
	}
	w.age()
	w.in = Inputs{
		Files:   []string{w.path("go.mod"), w.path("go.work"), w.path("a/go.mod")},
		Folders: []string{w.path("a"), w.path("lib")},
		Embeds:  []Embed{{w.path("a"), "data"}, {w.path("a"), "notes*"}},
		Lock:    w.path("a/mops_lock.go"),
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

// age is what makes a look possible that began just now.
func (w *world) age() {
	w.t.Helper()
	old := time.Now().Add(-time.Minute)
	err := filepath.WalkDir(w.folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// snapshot is one by somebody who began to look in an hour: nothing is written now.
func (w *world) snapshot() *Snapshot {
	w.t.Helper()
	state, err := NewReader(time.Now().Add(time.Hour)).Read(w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	return &Snapshot{Go: "go1.26", Platform: "linux/amd64", Functions: []Function{{Name: "f", Version: "2", Hash: "abc", Accepted: true}}, State: state}
}

func TestFresh(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(w *world)
		fresh bool
	}{
		"nothing":                {func(w *world) {}, true},
		"touched":                {func(w *world) { w.age() }, true},
		"written as it was":      {func(w *world) { w.write("a/a.go", "package a") }, true},
		"another file":           {func(w *world) { w.write("other/other.go", "package another") }, true},
		"a file of a test":       {func(w *world) { w.write("a/a_test.go", "package b") }, true},
		"a new file of a test":   {func(w *world) { w.write("a/b_test.go", "package b") }, true},
		"a file of no language":  {func(w *world) { w.write("a/README.md", "new") }, true},
		"a file of an editor":    {func(w *world) { w.write("a/.#a.go", "new") }, true},
		"a new folder":           {func(w *world) { w.write("a/new/new.go", "package new") }, true},
		"another package's lock": {func(w *world) { w.write("lib/mops_lock.go", "new") }, true},
		"a hidden file":          {func(w *world) { w.write("a/data/.hidden", "new") }, true},
		"a new patch of Go":      {func(w *world) {}, true},

		"edited":                     {func(w *world) { w.write("a/a.go", "package b") }, false},
		"longer":                     {func(w *world) { w.write("lib/lib.go", "package lib2") }, false},
		"edited, with its old times": {func(w *world) { w.write("a/a.go", "package b"); w.age() }, false},
		"another in its place": {func(w *world) {
			w.write("a/new", "package b")
			w.age()
			os.Rename(w.path("a/new"), w.path("a/a.go"))
		}, false},
		"a new file":              {func(w *world) { w.write("a/c.go", "package a") }, false},
		"a new file of C":         {func(w *world) { w.write("lib/c.h", "int") }, false},
		"removed":                 {func(w *world) { os.Remove(w.path("a/b.s")) }, false},
		"renamed":                 {func(w *world) { os.Rename(w.path("a/a.go"), w.path("a/b.go")) }, false},
		"go.mod":                  {func(w *world) { w.write("go.mod", "module n\n") }, false},
		"a go.mod in between":     {func(w *world) { w.write("a/go.mod", "module a\n") }, false},
		"a workspace":             {func(w *world) { w.write("go.work", "use .") }, false},
		"no go.mod":               {func(w *world) { os.Remove(w.path("go.mod")) }, false},
		"the lock":                {func(w *world) { w.write("a/mops_lock.go", "new") }, false},
		"no lock":                 {func(w *world) { os.Remove(w.path("a/mops_lock.go")) }, false},
		"an embedded file":        {func(w *world) { w.write("a/data/sub/z.txt", "Z") }, false},
		"a new embedded file":     {func(w *world) { w.write("a/data/w.txt", "w") }, false},
		"one that a pattern fits": {func(w *world) { w.write("a/notes2.txt", "w") }, false},
		"no embedded file":        {func(w *world) { os.Remove(w.path("a/data/x.txt")) }, false},
		"no folder":               {func(w *world) { os.RemoveAll(w.path("lib")) }, false},
		"a variable":              {func(w *world) { w.t.Setenv("GOFLAGS", "-tags=x") }, false},
		"go env -w":               {func(w *world) { os.WriteFile(os.Getenv("GOENV"), []byte("GOFLAGS=-tags=x\n"), 0o666) }, false},
		"go env -w of others":     {func(w *world) { os.WriteFile(os.Getenv("GOENV"), []byte("GOPROXY=off\n"), 0o666) }, false},
		"other go env settings":   {func(w *world) { w.t.Setenv("GOENV", "off"); w.t.Setenv("GOWORK", "off") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.snapshot()
			if !s.Fresh("go1.26.3") {
				t.Fatal("at once, it is old")
			}
			c.edit(w)
			if got := s.Fresh("go1.26.8"); got != c.fresh {
				t.Errorf("fresh: %v", got)
			}
		})
	}
	if s := newWorld(t).snapshot(); s.Fresh("go1.27.0") {
		t.Error("another Go")
	}
}

// The lock is written after the look, by who looked.
func TestRelock(t *testing.T) {
	w := newWorld(t)
	s := w.snapshot()
	w.write("a/mops_lock.go", "new")
	if err := s.State.Relock(); err != nil || !s.Fresh("go1.26") {
		t.Error(err)
	}
}

// Somebody who writes while others look could be overlooked.
func TestWrittenMeanwhile(t *testing.T) {
	w := newWorld(t)
	read := func(since time.Time) error {
		_, err := NewReader(since).Read(w.in)
		return err
	}
	now := time.Now()
	if err := read(now.Add(time.Minute)); err != nil {
		t.Errorf("all is older: %v", err)
	}
	for _, c := range []struct {
		written time.Time
		want    error
	}{
		{now.Add(59*time.Minute + 59*time.Second + 500*time.Microsecond), nil},
		{now.Add(time.Hour - 5*time.Millisecond), ErrChanging}, // a clock that ticks
		{now.Add(time.Hour).Truncate(time.Second).Add(-time.Second), ErrChanging},
		{now.Add(time.Hour + time.Second), ErrChanging},
	} {
		if err := os.Chtimes(w.path("a/a.go"), c.written, c.written); err != nil {
			t.Fatal(err)
		}
		if err := read(now.Add(time.Hour)); !errors.Is(err, c.want) {
			t.Errorf("written at %v: %v", c.written, err)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	w := newWorld(t)
	cache := t.TempDir()
	if _, err := Load(cache, w.path("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is none: %v", err)
	}
	s := w.snapshot()
	if err := s.Save(cache, w.path("a")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(w.path("a"), link); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{w.path("a"), w.path("a") + "/", link} {
		got, err := Load(cache, folder)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Fresh("go1.26") || fmt.Sprint(got) != fmt.Sprint(s) || got.Hash("f", "2") != "abc" || got.Hash("f", "1") != "" || got.Hash("g", "2") != "" {
			t.Errorf("%+v", got)
		}
	}
	if _, err := Load(cache, w.path("lib")); err == nil {
		t.Error("another package's")
	}
}

func TestDamaged(t *testing.T) {
	w := newWorld(t)
	cache := t.TempDir()
	if err := w.snapshot().Save(cache, w.path("a")); err != nil {
		t.Fatal(err)
	}
	path := place(cache, w.path("a"))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 13 {
		bad := append([]byte{}, good...)
		bad[i] ^= 1
		for _, text := range [][]byte{bad, good[:i]} {
			if err := os.WriteFile(path, text, 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(cache, w.path("a")); err == nil {
				t.Fatalf("byte %d of %d is another, or they end there", i, len(good))
			}
		}
	}
}

// What nobody has written for long goes.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	cache := t.TempDir()
	s := w.snapshot()
	for _, folder := range []string{"a", "lib", "other"} {
		if err := s.Save(cache, w.path(folder)); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-keepFor - time.Hour)
	if err := os.Chtimes(place(cache, w.path("lib")), old, old); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(cache, w.path("a")); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]bool{"a": true, "lib": false, "other": true} {
		if _, err := Load(cache, w.path(folder)); (err == nil) != want {
			t.Errorf("%s: %v", folder, err)
		}
	}
}

// It is cheap: a program looks when it starts.
func BenchmarkFresh(b *testing.B) {
	folder := b.TempDir()
	in := Inputs{Lock: filepath.Join(folder, "lock")}
	for i := range 50 {
		dir := filepath.Join(folder, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o777); err != nil {
			b.Fatal(err)
		}
		in.Folders = append(in.Folders, dir)
		for j := range 10 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.go", j)), make([]byte, 5000), 0o666); err != nil {
				b.Fatal(err)
			}
		}
	}
	state, err := NewReader(time.Now().Add(time.Hour)).Read(in)
	if err != nil {
		b.Fatal(err)
	}
	if err := (&Snapshot{Go: "go1.26", State: state}).Save(folder, folder); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if s, err := Load(folder, folder); err != nil || !s.Fresh("go1.26") {
			b.Fatal(err)
		}
	}
}
