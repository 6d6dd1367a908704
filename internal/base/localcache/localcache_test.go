package localcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newFolder(t *testing.T, opts Options) *Folder {
	t.Helper()
	opts.Shelves = []string{"."}
	if opts.Dir == "" {
		opts.Dir = filepath.Join(t.TempDir(), "cache")
	}
	f := New(opts)
	t.Cleanup(f.Close)
	return f
}

func (f *Folder) entry(i int) string {
	return filepath.Join(f.Dir, fmt.Sprintf("%02x", i), fmt.Sprintf("%064x", i))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestSweepLeavesWhatIsHeldAndWhatWasUsed(t *testing.T) {
	f := newFolder(t, Options{KeepFor: time.Hour})
	hours := 2
	f.Now = func() time.Time { return time.Now().Add(time.Duration(hours) * time.Hour) }
	for i := range 4 {
		path := f.entry(i)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stranger := filepath.Join(f.Dir, "00", "notes.txt")
	if err := os.WriteFile(stranger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, done := context.WithCancel(t.Context())
	if _, err := f.Hold(ctx, func() (string, error) { return f.entry(0), nil }); err != nil {
		t.Fatal(err)
	}
	f.Touch(f.entry(1))
	f.Sweep()
	for i, want := range []bool{true, true, false, false} {
		if got := exists(f.entry(i)); got != want {
			t.Errorf("entry %d is there: %v", i, got)
		}
	}
	done()
	hours = 4
	for deadline := time.Now().Add(time.Minute); exists(f.entry(0)); f.Sweep() {
		if time.Now().After(deadline) {
			t.Fatal("it is held though its context has ended")
		}
	}
	if exists(f.entry(1)) || exists(f.entry(1)+usedSuffix) || !exists(stranger) {
		t.Error("an old entry stayed, or what is no entry went")
	}
}

// Holding a path that is no entry locks nothing.
func TestOnlyEntriesAreHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Folder{newFolder(t, Options{}), New(Options{})} {
		if _, err := f.Hold(t.Context(), func() (string, error) { return path, nil }); err != nil || len(f.uses) > 0 {
			t.Errorf("%v, in use: %v", err, f.uses)
		}
	}
}

// If something deletes the folder all the time, the user is told after some
// tries.
func TestTry(t *testing.T) {
	tries := 0
	err := Try(func() error { return Try(func() error { tries++; return ErrOvertaken }) })
	if !errors.Is(err, ErrFailed) || tries != mostTries {
		t.Errorf("%v after %d tries", err, tries)
	}
	gone := newFolder(t, Options{}).entry(0)
	if _, err := newFolder(t, Options{Dir: filepath.Dir(filepath.Dir(gone))}).Hold(t.Context(), func() (string, error) { return gone, nil }); !errors.Is(err, ErrFailed) {
		t.Errorf("an entry that never is there: %v", err)
	}
}

// A part that another process can continue stays, with what is known of it;
// others go.
func TestPart(t *testing.T) {
	f := newFolder(t, Options{})
	path := f.entry(0)
	take := func() *Part {
		t.Helper()
		p, err := f.FilePart(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(p.Path, PartSuffix) {
			p.Close(false)
			t.Skip("this file system has no locks")
		}
		return p
	}
	p := take()
	if _, err := p.WriteAt([]byte("half"), 0); err != nil {
		t.Fatal(err)
	}
	if err := p.SetComplete(4, 8); err != nil {
		t.Fatal(err)
	}
	p.Close(true)
	p = take()
	if n := p.Complete(8); n != 4 {
		t.Errorf("%d bytes are complete", n)
	}
	if n := p.Complete(9); n != 0 {
		t.Errorf("%d bytes of a file of another size are complete", n)
	}
	p.Close(false)
	if exists(path + PartSuffix) {
		t.Error("a part without use stayed")
	}
	p = take()
	defer p.Close(true)
	if err := Publish(p.File, path, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := f.FilePart(t.Context(), path); err != ErrOvertaken || exists(path+PartSuffix) {
		t.Errorf("a part of what is complete: %v", err)
	}
}

func TestPutNeverReplaces(t *testing.T) {
	f := newFolder(t, Options{Size: 1 << 20})
	path := f.entry(1)
	if err := f.Put(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("put again: %v", err)
	}
	if got, err := f.Read(path, 3); err != nil || !bytes.Equal(got, []byte("one")) {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := f.Read(path, 2); err == nil {
		t.Error("it is larger than that, and was read")
	}
	if left, _ := os.ReadDir(filepath.Join(f.Dir, "tmp")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
