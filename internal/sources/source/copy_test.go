package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

// all reads a source in every way that there is, and fails unless they agree.
func all(t *testing.T, r *Ref, want []byte) {
	t.Helper()
	same := func(how string, got []byte, err error) {
		t.Helper()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v, want %d", how, len(got), err, len(want))
		}
	}
	got, err := r.ReadAll(t.Context())
	same("ReadAll", got, err)
	to := filepath.Join(t.TempDir(), "copy")
	err = r.CopyTo(t.Context(), to)
	got, _ = os.ReadFile(to)
	same("CopyTo", got, err)
	file, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, err = io.ReadAll(file)
	same("Open", got, err)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Error(err)
	}
	for _, n := range []int64{-1, int64(len(want)), 1 << 40} {
		part, err := r.OpenRange(t.Context(), 0, n)
		if err != nil {
			t.Fatal(err)
		}
		got, err = io.ReadAll(part)
		same("OpenRange", got, errors.Join(err, part.Close()))
	}
	path, err := r.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err = os.ReadFile(path)
	same("Path", got, err)
}

// Content in memory is the same source as a file with it, before and after a
// store has it.
func TestBytes(t *testing.T) {
	for name, store := range stores(t) {
		for _, content := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("large "), 1<<20)} {
			f := newFiles(t)
			data := bytes.Clone(content)
			r := Bytes(data)
			clear(data) // it has a copy
			r.Attach(f)
			all(t, r, content)
			if id, ok := r.Identity(); !ok || id != (Identity{KindFile, sha256.Sum256(content), int64(len(content))}) {
				t.Errorf("%s: it is a %s", name, id)
			}
			if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
				t.Fatal(err)
			}
			locations, err := f.Upload(t.Context(), store, []*Ref{r}, 0)
			if err != nil {
				t.Fatal(err)
			}
			text, err := r.MarshalCBOR()
			if err != nil {
				t.Fatal(err)
			}
			other, err := Decode(text)
			if err != nil {
				t.Fatal(err)
			}
			g := newFiles(t) // another process
			if err := g.Bind(store, callPrefix, []*Ref{other}, locations); err != nil {
				t.Fatal(err)
			}
			other.Attach(g)
			all(t, other, content)
			got, err := r.ReadAll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			clear(got) // is the caller's
			all(t, r, content)
		}
	}
}

// Without a cache, content from another machine is streamed; what was damaged on
// its way is read again, and what is damaged there is an error that leaves the
// old file alone, and nothing beside it.
func TestCopyToWithoutCache(t *testing.T) {
	f, store := newFilesWith(t, Options{}), remoteStore(t)
	r := Bytes([]byte("right"))
	locations, err := f.Upload(t.Context(), store, []*Ref{r}, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := r.MarshalCBOR()
	other, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Bind(store, callPrefix, []*Ref{other}, locations); err != nil {
		t.Fatal(err)
	}
	other.Attach(f)
	folder := t.TempDir()
	to := filepath.Join(folder, "to")
	if err := other.CopyTo(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutBytes(t.Context(), locations[0].At, []byte("wrong"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := other.CopyTo(t.Context(), to); !blob.Is(err, blob.Corrupt) {
		t.Errorf("damaged content was copied: %v", err)
	}
	if _, err := other.ReadAll(t.Context()); !blob.Is(err, blob.Corrupt) {
		t.Errorf("damaged content was read: %v", err)
	}
	onlyHas(t, folder, "to", "right")
	if _, err := r.Path(t.Context()); err == nil {
		t.Error("a file in memory has a path without a cache")
	}
}

// onlyHas fails unless a folder has one file, with this content.
func onlyHas(t *testing.T, folder, name, content string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
	if got, _ := os.ReadFile(filepath.Join(folder, name)); string(got) != content {
		t.Errorf("%s is %q", name, got)
	}
}

func TestCopyToIsWholeOrNotAtAll(t *testing.T) {
	f := newFiles(t)
	folder := t.TempDir()
	to := filepath.Join(folder, "to")
	if err := os.WriteFile(to, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	changed := File(filepath.Join(t.TempDir(), "changed"))
	os.WriteFile(changed.path, []byte("before"), 0o600)
	if err := f.Resolve(t.Context(), []*Ref{changed}); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(changed.path, []byte("after it"), 0o600)
	if err := changed.CopyTo(t.Context(), to); !errors.Is(err, ErrChanged) {
		t.Errorf("a file that changed was copied: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Bytes([]byte("new")).CopyTo(ended, to); !errors.Is(err, context.Canceled) {
		t.Errorf("it was copied after the end: %v", err)
	}
	folderRef := Dir(t.TempDir())
	folderRef.Attach(f)
	for name, r := range map[string]*Ref{"a folder": folderRef, "no file": File(filepath.Join(folder, "none"))} {
		if err := r.CopyTo(t.Context(), to); err == nil {
			t.Errorf("%s was copied", name)
		}
	}
	for _, path := range []string{"", folder, filepath.Join(folder, "none", "to")} {
		if err := Bytes(nil).CopyTo(t.Context(), path); err == nil {
			t.Errorf("it was copied to %q", path)
		}
	}
	onlyHas(t, folder, "to", "old")
	if err := File(to).CopyTo(t.Context(), to); err != nil {
		t.Errorf("to itself: %v", err)
	}
	onlyHas(t, folder, "to", "old")
	if err := Bytes([]byte("new")).CopyTo(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	onlyHas(t, folder, "to", "new")
}
