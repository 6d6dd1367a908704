package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// Stored content is not sent again, whatever its name.
func TestUploadedOnce(t *testing.T) {
	for name, bare := range stores(t) {
		t.Run(name, func(t *testing.T) {
			store, count := blobcount.New(bare)
			f := newFiles(t)
			refs := []*Ref{File(tempFile(t, "same")), File(tempFile(t, "same")), Dir(folder(t)), Dir(folder(t))}
			if err := f.Resolve(t.Context(), refs); err != nil {
				t.Fatal(err)
			}
			if n := count.Counts().Total(); n != 0 {
				t.Errorf("Resolve asked the store %d times", n)
			}
			first := must(f.Upload(t.Context(), store, refs, 0))(t)
			puts := count.Counts().PutIfAbsent
			if puts != 1+6 { // five contents and a manifest
				t.Errorf("%d puts", puts)
			}
			second := must(newFiles(t).Upload(t.Context(), store, refs, 0))(t)
			if !slices.Equal(first, second) || first[0] != first[1] || first[2] != first[3] {
				t.Errorf("locations %v, then %v", first, second)
			}
			if c := count.Counts(); c.Put+c.PutIfAbsent+c.Swap != puts {
				t.Errorf("stored again: %+v", c)
			}
			stats := count.Counts().Stat
			must(f.Upload(t.Context(), store, refs[2:3], 0))(t)
			if n := count.Counts().Stat - stats; n > 2 {
				t.Errorf("a folder that was found whole cost %d questions", n)
			}
		})
	}
}

// Many calls with one source at the same moment store it once.
func TestUploadConcurrently(t *testing.T) {
	store, count := blobcount.New(remoteStore(t))
	f := newFiles(t)
	path := tempFile(t, pattern(1<<20))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			r := File(path)
			if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
				t.Error(err)
				return
			}
			if _, err := f.Upload(t.Context(), store, []*Ref{r}, 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c := count.Counts(); c.PutIfAbsent != 1 {
		t.Errorf("%d puts", c.PutIfAbsent)
	}
}

// A changed file is never stored under its old hash.
func TestChangedBeforeUpload(t *testing.T) {
	for name, change := range map[string]struct {
		do   func(path string) error
		word string
	}{
		"grown":     {func(path string) error { return os.WriteFile(path, []byte(pattern(100)), 0o644) }, "bytes became"},
		"same size": {func(path string) error { return os.WriteFile(path, []byte("CONTENT"), 0o644) }, "written to"},
		"replaced": {func(path string) error {
			write(t, path+".new", "CONTENT")
			return os.Rename(path+".new", path)
		}, "another file"},
		"removed": {os.Remove, "removed"},
	} {
		for kind, store := range stores(t) {
			t.Run(name+" "+kind, func(t *testing.T) {
				f := newFiles(t)
				dir := t.TempDir()
				path := write(t, filepath.Join(dir, "file"), "content")
				longAgo := time.Now().Add(-time.Hour) // so that a write at this very moment has another date
				if err := os.Chtimes(path, longAgo, longAgo); err != nil {
					t.Fatal(err)
				}
				refs := []*Ref{File(path), Dir(dir)}
				if err := f.Resolve(t.Context(), refs); err != nil {
					t.Fatal(err)
				}
				if err := change.do(path); err != nil {
					t.Fatal(err)
				}
				for _, r := range refs {
					_, err := f.Upload(t.Context(), store, []*Ref{r}, 0)
					wantError(t, err, path, change.word, "call again")
					if !errors.Is(err, ErrChanged) {
						t.Errorf("%v is not ErrChanged", err)
					}
				}
				if left := keys(t, store); len(left) > 0 {
					t.Errorf("the store holds %q", left)
				}
			})
		}
	}
}

// The same while it is being copied, however the copying is done: a file that is
// old enough is copied by the kernel, a fresh one is hashed on the way.
func TestChangedDuringUpload(t *testing.T) {
	for kind, store := range stores(t) {
		for _, age := range []string{"fresh", "settled"} {
			t.Run(kind+" "+age, func(t *testing.T) {
				f := newFiles(t)
				path := tempFile(t, pattern(3<<20))
				if age == "settled" {
					settled(f)
				}
				r := File(path)
				if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
					t.Fatal(err)
				}
				f.hashes.Moment = func(moment, path string) {
					if moment == filehash.Copied {
						write(t, path, pattern(3<<20-1)+"X")
					}
				}
				_, err := f.Upload(t.Context(), store, []*Ref{r}, 0)
				if !errors.Is(err, ErrChanged) {
					t.Errorf("%v is not ErrChanged", err)
				}
				if left := keys(t, store); len(left) > 0 {
					t.Errorf("the store holds %q", left)
				}
			})
		}
	}
}

// Where old content would have been renewed by a file that changes meanwhile, it
// stays: there may be records that name it.
func TestChangedWhileRenewing(t *testing.T) {
	store, f := localStore(t), newFiles(t)
	path := tempFile(t, pattern(3<<20))
	settled(f)
	refs := []*Ref{File(path)}
	if err := f.Resolve(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
	locations := must(f.Upload(t.Context(), store, refs, 0))(t)
	stored := bound(t, f, store, refs[0], locations)
	at, _, err := store.LocalPath(t.Context(), locations[0].At)
	old := time.Now().Add(-40 * day)
	if err := errors.Join(err, os.Chtimes(at, old, old)); err != nil {
		t.Fatal(err)
	}
	f.Forget(f.now())
	f.hashes.Moment = func(moment, of string) {
		if moment == filehash.Copied && of == path {
			write(t, path, pattern(3<<20-1)+"X")
		}
	}
	if _, err := f.Upload(t.Context(), store, refs, 0); !errors.Is(err, ErrChanged) {
		t.Errorf("%v is not ErrChanged", err)
	}
	if got := read(t, stored); got != pattern(3<<20) {
		t.Errorf("read %d bytes of another content", len(got))
	}
}

func TestChangedWhileHashed(t *testing.T) {
	f := newFiles(t)
	path := tempFile(t, "content")
	f.hashes.Moment = func(_, path string) { write(t, path, "more content") }
	if err := f.Resolve(t.Context(), []*Ref{File(path)}); !errors.Is(err, ErrChanged) {
		t.Errorf("%v is not ErrChanged", err)
	}
}

// A new link or a new name does not change the content.
func TestTouchedBeforeUpload(t *testing.T) {
	store, f := localStore(t), newFiles(t)
	path := tempFile(t, "content")
	r := File(path)
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, path+".link"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Upload(t.Context(), store, []*Ref{r}, 0); err != nil {
		t.Error(err)
	}
	r = File(path)
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	write(t, path, "content")
	if _, err := f.Upload(t.Context(), localStore(t), []*Ref{r}, 0); err != nil {
		t.Error(err)
	}
}

// The stored bytes are a copy: the user's later edits do not reach them, and
// nobody can edit them through Path.
func TestStoredIsACopy(t *testing.T) {
	for _, age := range []string{"fresh", "settled"} {
		t.Run(age, func(t *testing.T) {
			f, store := newFiles(t), localStore(t)
			path := tempFile(t, "content")
			if age == "settled" {
				settled(f)
			}
			r := asArgument(t, f, store, File(path))
			stored := must(r.Path(t.Context()))(t)
			if os.SameFile(must(os.Stat(path))(t), must(os.Stat(stored))(t)) {
				t.Fatal("the stored file is the user's own")
			}
			write(t, path, "edited")
			if got := read(t, r); got != "content" {
				t.Errorf("read %q", got)
			}
			if mode := must(os.Stat(stored))(t).Mode(); mode.Perm()&0o222 != 0 {
				t.Errorf("the stored file has mode %v", mode)
			}
			if os.Geteuid() != 0 {
				if file, err := os.OpenFile(stored, os.O_WRONLY, 0); !errors.Is(err, fs.ErrPermission) {
					file.Close()
					t.Errorf("opened for writing: %v", err)
				}
			}
		})
	}
}

// A blob of another size, or with damage that is known, is replaced.
func TestDamagedIsReplaced(t *testing.T) {
	for kind, store := range stores(t) {
		for damage, content := range map[string]string{"torn": "cont", "flipped": "c0ntent", "empty": ""} {
			t.Run(kind+" "+damage, func(t *testing.T) {
				f := newFiles(t)
				r := File(tempFile(t, "content"))
				if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
					t.Fatal(err)
				}
				if _, err := store.PutBytes(t.Context(), BlobKey(r.Hash()), []byte(content), blob.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				stored := bound(t, f, store, r, []Location{{Identity{KindFile, r.Hash(), 7}, BlobKey(r.Hash())}})
				_, err := stored.Open(t.Context())
				if !blob.Is(err, blob.Corrupt) {
					t.Errorf("%v is not corrupt", err)
				}
				wantError(t, err, store.URI(BlobKey(r.Hash())), "mops.Refresh")
				if got := read(t, asArgument(t, f, store, r)); got != "content" {
					t.Errorf("read %q", got)
				}
			})
		}
	}
}
