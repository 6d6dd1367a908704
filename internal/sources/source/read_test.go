package source

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// Nothing is transferred until somebody reads, and then once.
func TestDownloadedOnce(t *testing.T) {
	store, count := blobcount.New(remoteStore(t))
	f := newFiles(t)
	content := pattern(100 << 10)
	first := asArgument(t, f, store, File(tempFile(t, content)))
	second := asArgument(t, f, store, File(tempFile(t, content)))
	if n := count.Counts().Get; n != 0 {
		t.Fatalf("%d reads before anybody asked", n)
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := first
			if i%2 == 0 {
				r = second
			}
			file, err := r.Open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer file.Close()
			if data, err := io.ReadAll(file); err != nil || string(data) != content {
				t.Errorf("read %d bytes: %v", len(data), err)
			}
		})
	}
	wg.Wait()
	path := must(first.Path(t.Context()))(t)
	if n := count.Counts().Get; n != 1 {
		t.Errorf("%d reads", n)
	}
	if mode := must(os.Stat(path))(t).Mode(); mode != 0o444 {
		t.Errorf("the copy has mode %v", mode)
	}
	// The next process finds the copy, and another state folder hashes it.
	for _, state := range []string{filepath.Dir(f.hashes.Memory), t.TempDir()} {
		next := newFilesWith(t, Options{CacheDir: f.cache.Dir, StateDir: state})
		if got := read(t, asArgument(t, next, store, File(tempFile(t, content)))); got != content {
			t.Errorf("read %d bytes", len(got))
		}
	}
	if n := count.Counts().Get; n != 1 {
		t.Errorf("%d reads in the end", n)
	}
}

// Of a local store, the own files are read, and hashed at most once per machine.
func TestLocalStoreIsReadInPlace(t *testing.T) {
	f, store := newFiles(t), localStore(t)
	r := asArgument(t, f, store, File(tempFile(t, "content")))
	hashed := countHashed(f)
	path := must(r.Path(t.Context()))(t)
	want, _, err := store.LocalPath(t.Context(), BlobKey(r.Hash()))
	if err != nil || path != want {
		t.Errorf("Path is %s, want %s, %v", path, want, err)
	}
	if n := hashed.take(); n != 0 {
		t.Errorf("what was just stored was hashed %d times", n)
	}
	if _, err := os.Stat(f.cache.Dir); err == nil {
		t.Error("something was put into the cache, or is in use there")
	}
	other := newFiles(t)
	hashed = countHashed(other)
	same := must(Decode(must(r.MarshalCBOR())(t)))(t)
	if err := other.Bind(store, callPrefix, []*Ref{same}, []Location{{Identity{KindFile, r.Hash(), 7}, BlobKey(r.Hash())}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := read(t, same); got != "content" {
			t.Errorf("read %q", got)
		}
	}
	if n := hashed.take(); n != 1 {
		t.Errorf("on a machine that knows nothing, hashed %d times", n)
	}
}

// The cache may be deleted at any time.
func TestCacheDeleted(t *testing.T) {
	f, store := newFiles(t), remoteStore(t)
	file := asArgument(t, f, store, File(tempFile(t, "content")))
	tree := asArgument(t, f, store, Dir(folder(t)))
	for range 3 {
		open := must(file.Open(t.Context()))(t)
		if err := os.RemoveAll(f.cache.Dir); err != nil {
			t.Fatal(err)
		}
		if data := must(io.ReadAll(open))(t); string(data) != "content" {
			t.Errorf("read %q from what was open", data)
		}
		open.Close()
		must(os.Stat(must(file.Path(t.Context()))(t)))(t)
		must(os.Stat(filepath.Join(must(tree.Path(t.Context()))(t), "a", "deep", "x")))(t)
	}
}

// While others read, all the time.
func TestCacheDeletedConcurrently(t *testing.T) {
	f, store := newFiles(t), remoteStore(t)
	r := asArgument(t, f, store, File(tempFile(t, "content")))
	stop := make(chan struct{})
	var deleting, reading sync.WaitGroup
	deleting.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				os.RemoveAll(f.cache.Dir)
			}
		}
	})
	failures := 0
	reading.Go(func() {
		for range 200 {
			file, err := r.Open(t.Context())
			if err != nil {
				failures++ // three times in a row deleted under its hands
				continue
			}
			if data, err := io.ReadAll(file); err != nil || string(data) != "content" {
				t.Errorf("read %q: %v", data, err)
			}
			file.Close()
		}
	})
	reading.Wait()
	close(stop)
	deleting.Wait()
	if got := read(t, r); got != "content" {
		t.Errorf("in the end read %q", got)
	}
	t.Logf("%d of 200 could not be opened", failures)
}

// A copy in the cache that was changed is never handed out.
func TestDamagedCache(t *testing.T) {
	f, store := newFiles(t), remoteStore(t)
	r := asArgument(t, f, store, File(tempFile(t, "content")))
	path := must(r.Path(t.Context()))(t)
	for _, content := range []string{"CONTENT", "con", ""} {
		tick(t, f.cache.Dir)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		write(t, path, content)
		if got := read(t, r); got != "content" {
			t.Errorf("read %q", got)
		}
	}
}

// Damage in the store of this machine shows however little changed.
func TestDamagedLocalStore(t *testing.T) {
	f, store, out := newFiles(t), localStore(t), t.TempDir()
	for _, r := range []*Ref{
		asArgument(t, f, store, File(tempFile(t, "content"))),
		asResult(t, f, store, out, File(write(t, filepath.Join(out, "a"), "content"))),
	} {
		path := must(r.Path(t.Context()))(t)
		info := must(os.Stat(path))(t)
		tick(t, out)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		write(t, path, "cOntent")
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		_, err := r.Open(t.Context())
		if !blob.Is(err, blob.Corrupt) {
			t.Errorf("%v is not corrupt", err)
		}
		wantError(t, err, r.URI(), "mops.Refresh")
	}
}

func TestGone(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			r := asArgument(t, f, store, File(tempFile(t, "content")))
			tree := asArgument(t, f, store, Dir(folder(t)))
			for _, key := range keys(t, store) {
				if err := store.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			_, openErr := r.Open(t.Context())
			_, rangeErr := r.OpenRange(t.Context(), 1, 1)
			_, treeErr := tree.Path(t.Context())
			for _, err := range []error{openErr, rangeErr, f.Check(t.Context(), []*Ref{r})} {
				wantError(t, err, store.URI(BlobKey(r.Hash())), "gone", "mops.Refresh")
				if !blob.Is(err, blob.NotFound) {
					t.Errorf("%v is not NotFound", err)
				}
			}
			wantError(t, treeErr, store.URI(BlobKey(tree.Hash())), "gone")
			// Passing the file again stores it again.
			if got := read(t, asArgument(t, f, store, File(tempFile(t, "content")))); got != "content" {
				t.Errorf("read %q", got)
			}
			must(asArgument(t, f, store, Dir(folder(t))).Path(t.Context()))(t)
		})
	}
}

// A source without a location in the record cannot be bound.
func TestBindRefuses(t *testing.T) {
	f, store := newFiles(t), localStore(t)
	r := File(tempFile(t, "content"))
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	decoded := must(Decode(must(r.MarshalCBOR())(t)))(t)
	id, _ := decoded.Identity()
	wantError(t, f.Bind(store, callPrefix, []*Ref{decoded}, nil), "call again")
	for _, at := range []string{"", "out/../../x", "/etc/passwd", "../x", "s3://bucket", "file:///a/../b"} {
		if err := f.Bind(store, callPrefix, []*Ref{decoded}, []Location{{id, at}}); err == nil {
			t.Errorf("bound to %q", at)
		}
	}
	_, err := decoded.Open(t.Context())
	wantError(t, err, "environment")
}

// If nothing is stored, results are bound to their place on this machine.
func TestBoundToThisMachine(t *testing.T) {
	f := newFilesWith(t, Options{})
	file, dir := File(tempFile(t, "content")), Dir(folder(t))
	refs := []*Ref{file, dir}
	if err := f.Resolve(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
	decoded, locations := make([]*Ref, len(refs)), make([]Location, len(refs))
	for i, r := range refs {
		decoded[i] = must(Decode(must(r.MarshalCBOR())(t)))(t)
		id, _ := r.Identity()
		locations[i] = Location{id, r.URI()}
	}
	if err := f.Bind(nil, "", decoded, locations); err != nil {
		t.Fatal(err)
	}
	if got := read(t, decoded[0]); got != "content" {
		t.Errorf("read %q", got)
	}
	if got := must(decoded[1].Path(t.Context()))(t); got != dir.path {
		t.Errorf("the folder is at %s, want %s", got, dir.path)
	}
	if err := f.Check(t.Context(), decoded); err != nil {
		t.Error(err)
	}
	// They may be arguments of calls that are stored.
	store := localStore(t)
	moved := asArgument(t, newFiles(t), store, decoded[1])
	if got := must(os.ReadFile(filepath.Join(must(moved.Path(t.Context()))(t), "a.txt")))(t); string(got) != "a" {
		t.Errorf("read %q", got)
	}
	write(t, file.path, "CONTENT")
	write(t, filepath.Join(dir.path, "a.txt"), "A")
	_, fileErr := decoded[0].Path(t.Context())
	_, dirErr := decoded[1].Path(t.Context())
	for _, err := range []error{fileErr, dirErr} {
		if !blob.Is(err, blob.Corrupt) {
			t.Errorf("%v is not corrupt", err)
		}
	}
	wantError(t, f.Bind(nil, "", []*Ref{must(Decode(must(file.MarshalCBOR())(t)))(t)}, []Location{{locations[0].Identity, "out/x"}}), "there is none")
}
