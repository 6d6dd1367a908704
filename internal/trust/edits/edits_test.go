package edits

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/snapshot"
)

// world is a package with a lock, an hour old, that a program was compiled from.
type world struct {
	*testing.T
	dir, cache string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("GOENV", "off")
	w := &world{t, t.TempDir(), t.TempDir()}
	for _, name := range []string{"clean.go", code.LockFile} {
		w.write(name, "package forecast")
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(w.dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o666); err != nil {
		w.Fatal(err)
	}
}

// remember makes a snapshot with these functions.
func (w *world) remember(functions ...snapshot.Function) {
	w.Helper()
	// As if it was read in an hour: what is written now could be overlooked.
	state, err := snapshot.NewReader(time.Now().Add(time.Hour)).Read(snapshot.Inputs{Folders: []string{w.dir}, Lock: filepath.Join(w.dir, code.LockFile)})
	if err != nil {
		w.Fatal(err)
	}
	s := &snapshot.Snapshot{Go: code.GoMinor(runtime.Version()), Platform: "linux/amd64", Functions: functions, State: state}
	if err := s.Save(w.cache, w.dir); err != nil {
		w.Fatal(err)
	}
}

// copy makes a lock in another folder.
func (w *world) copy(folder string) string {
	w.Helper()
	if err := os.MkdirAll(filepath.Join(w.dir, folder), 0o777); err != nil {
		w.Fatal(err)
	}
	w.write(filepath.Join(folder, code.LockFile), "package lib")
	return filepath.Join(w.dir, folder, code.LockFile)
}

func (w *world) sources() *Sources {
	return Find(map[string]string{filepath.Join(w.dir, code.LockFile): "example.com/forecast"}, w.cache)
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	w.write("other.go", "package forecast")
	for file, none := range map[string]bool{
		filepath.Join(w.dir, code.LockFile):           false,
		filepath.Join(w.dir, "other.go"):              true, // a test states it
		filepath.Join(w.dir, "gone", code.LockFile):   true,
		"example.com/forecast/mops_lock.go":           true, // -trimpath
		w.copy("vendor/example.com/lib"):              true,
		w.copy("pkg/mod/example.com/lib@v1.2.3/rate"): true,
		"example.com/forecast@v1.2.3/mops_lock.go":    true,
		filepath.Join("testdata", "x", code.LockFile): true,
	} {
		if got := Find(map[string]string{file: "example.com/forecast"}, w.cache).None(); got != none {
			t.Errorf("%s: nothing to look at: %v", file, got)
		}
	}
}

func TestRemembered(t *testing.T) {
	changed := &code.Fingerprint{Hash: "bb"}
	functions := []snapshot.Function{
		{Name: "clean", Version: "1", Hash: "aa", Accepted: true},
		{Name: "train", Version: "2", Hash: "bb", Code: changed},
		{Name: "odd", Version: "0", Err: "a closure"},
	}
	want := map[string]Function{"clean": {Version: "1", Hash: "aa", Accepted: true}, "train": {Version: "2", Hash: "bb", Code: changed}}

	w := newWorld(t)
	if _, ok := w.sources().Remembered(); ok {
		t.Error("nobody has looked, and it is known")
	}
	w.remember(functions...)
	found, ok := w.sources().Remembered()
	if !ok || !reflect.DeepEqual(found.Functions, want) || found.Unbuilt != "" {
		t.Errorf("%+v, %v", found, ok)
	}
	w.write("clean.go", "package forecast // edited")
	if _, ok := w.sources().Remembered(); ok {
		t.Error("it was edited, and it is known")
	}
}

// The source is newer than the program, which nobody built to run it.
func TestUnbuilt(t *testing.T) {
	w := newWorld(t)
	w.remember(snapshot.Function{Name: "clean", Version: "1", Hash: "aa", Accepted: true})
	s := w.sources()
	s.program.fresh = false
	s.program.built = time.Now().Add(-30 * time.Minute)
	if found, ok := s.Remembered(); !ok || found.Unbuilt != "" {
		t.Errorf("built after it was written: %+v, %v", found, ok)
	}
	s.program.built = time.Now().Add(-2 * time.Hour)
	if found, ok := s.Remembered(); !ok || found.Unbuilt != filepath.Join(w.dir, "clean.go") {
		t.Errorf("built before it was written: %+v, %v", found, ok)
	}
	s.program.fresh = true
	if found, ok := s.Remembered(); !ok || found.Unbuilt != "" {
		t.Errorf("built to run: %+v, %v", found, ok)
	}
	s.program.started = time.Now().Add(-2 * time.Hour)
	if found, ok := s.Remembered(); !ok || found.Unbuilt == "" {
		t.Errorf("edited while it ran: %+v, %v", found, ok)
	}
}

// Without the command, whatever was edited counts, each edit for itself.
func TestLookWithoutTheCommand(t *testing.T) {
	w := newWorld(t)
	w.write("go.mod", "module example.com/forecast\n\ngo 1.26.0\n")
	t.Chdir(w.dir)
	w.remember(snapshot.Function{Name: "clean", Version: "1", Hash: "aa", Accepted: true}, snapshot.Function{Name: "odd", Err: "a closure"})
	hashes := map[string]bool{}
	for _, text := range []string{"package forecast // edited", "package forecast // edited again", "package forecast // edited"} {
		w.write("clean.go", text)
		found, err := w.sources().Look(t.Context())
		if !errors.Is(err, ErrNoTool) {
			t.Errorf("%v", err)
		}
		f := found.Functions["clean"]
		if len(found.Functions) != 1 || f.Version != "1" || f.Accepted || !strings.HasPrefix(f.Hash, Unread) {
			t.Errorf("%+v", found)
		}
		hashes[f.Hash] = true
	}
	if len(hashes) != 2 {
		t.Errorf("two texts have the hashes %v", hashes)
	}

	nobody := newWorld(t) // has looked there
	if found, err := nobody.sources().Look(t.Context()); err == nil || len(found.Functions) > 0 || !slices.Equal(found.Unknown, []string{"example.com/forecast"}) {
		t.Errorf("%+v, %v", found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.sources().Look(ctx); err == nil {
		t.Error("it looked though its context had ended")
	}
}
