package source

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
)

// watched is a store that counts reads.
type watched struct {
	driver.Store
	before func(part driver.Range) error // may be nil

	mu    sync.Mutex
	parts []driver.Range
}

func (w *watched) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	w.mu.Lock()
	w.parts = append(w.parts, part)
	before := w.before
	w.mu.Unlock()
	if before != nil {
		if err := before(part); err != nil {
			return nil, driver.Info{}, err
		}
	}
	return w.Store.Get(ctx, key, part)
}

// take returns the reads since the last time, and the lowest byte read.
func (w *watched) take() (gets int, lowest int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lowest = 1 << 62
	for _, part := range w.parts {
		lowest = min(lowest, part.Offset)
	}
	gets, w.parts = len(w.parts), nil
	return gets, lowest
}

func (w *watched) set(before func(driver.Range) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = before
}

// elsewhere is a store that looks like one on another machine, and its reads.
func elsewhere(t *testing.T) (*blob.Store, *watched) {
	bare := remoteStore(t)
	w := &watched{Store: bare.Driver()}
	return blob.New(bare.Root(), w), w
}

// big is a file of more ranges than are fetched side by side, and a bit.
func big(t *testing.T) (path, content string) {
	data := make([]byte, 12*rangeSize+17)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return tempFile(t, string(data)), string(data)
}

const bigRanges = 13

var errCut = &driver.Error{Kind: driver.Unavailable, Err: errors.New("the connection broke")}

// A large file comes in ranges. A download that broke goes on where it ended.
func TestDownloadGoesOn(t *testing.T) {
	store, gets := elsewhere(t)
	f := newFiles(t)
	path, content := big(t)
	r := asArgument(t, f, store, File(path))
	gets.set(func(part driver.Range) error {
		if part.Offset >= 5*rangeSize {
			return errCut
		}
		return nil
	})
	if _, err := r.Path(t.Context()); !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "the connection broke") {
		t.Fatalf("%v does not say what happened", err)
	}
	gets.take()
	gets.set(nil)
	if got := read(t, r); got != content {
		t.Error("another content")
	}
	if n, lowest := gets.take(); n != bigRanges-5 || lowest != 5*rangeSize {
		t.Errorf("then %d ranges from %d on", n, lowest)
	}
	if left := must(filepath.Glob(filepath.Join(f.cache.Dir, "*", "*", "*"+localcache.PartSuffix)))(t); len(left) > 0 {
		t.Errorf("left in the cache: %q", left)
	}
}

// Bytes that an earlier process left are verified.
func TestDamagedPart(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"a byte":    func(path string) error { return writeAt(path, "X", 3) },
		"the mark":  func(path string) error { return writeAt(path, "\xff", 12*rangeSize+17) },
		"shortened": func(path string) error { return os.Truncate(path, rangeSize) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"all there": func(path string) error {
			return writeAt(path, string(binary.BigEndian.AppendUint64(nil, uint64(12*rangeSize+17))), 12*rangeSize+17)
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, gets := elsewhere(t)
			f := newFiles(t)
			path, content := big(t)
			r := asArgument(t, f, store, File(path))
			gets.set(func(part driver.Range) error {
				if part.Offset >= 2*rangeSize {
					return errCut
				}
				return nil
			})
			if _, err := r.Path(t.Context()); err == nil {
				t.Fatal("no error")
			}
			gets.set(nil)
			if err := damage(f.cachePath(r.Hash()) + localcache.PartSuffix); err != nil {
				t.Fatal(err)
			}
			if got := read(t, r); got != content {
				t.Error("another content")
			}
			if f.seen.isDamaged(r.URI(), must(store.Stat(t.Context(), BlobKey(r.Hash())))(t).Version) {
				t.Error("the store was blamed")
			}
		})
	}
}

func writeAt(path, text string, off int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt([]byte(text), off)
	return err
}

// The store's own damage shows, and its blob is replaced at the next upload.
func TestDamagedBig(t *testing.T) {
	store := remoteStore(t)
	f := newFiles(t)
	path, content := big(t)
	r := asArgument(t, f, store, File(path))
	for name, damaged := range map[string]string{"flipped": content[:5*rangeSize] + "X" + content[5*rangeSize+1:], "short": content[:9*rangeSize]} {
		if _, err := store.PutBytes(t.Context(), BlobKey(r.Hash()), []byte(damaged), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := r.Path(t.Context())
		if !blob.Is(err, blob.Corrupt) {
			t.Errorf("%s: %v is not corrupt", name, err)
		}
		wantError(t, err, r.URI(), "mops.Refresh")
		if got := read(t, asArgument(t, f, store, File(path))); got != content {
			t.Errorf("%s: another content", name)
		}
		os.RemoveAll(f.cache.Dir)
	}
}

// serve makes a big file, and what else is given, a part of a store that other
// processes reach.
func serve(t *testing.T, r *Ref) (errand, *watched) {
	f, local := newFiles(t), localStore(t)
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	w := &watched{Store: local.Driver()}
	l := must(f.Upload(t.Context(), local, []*Ref{r}, 0))(t)[0]
	return errand{Root: blobtest.Serve(t, blob.New("file://served", w)), Cache: t.TempDir(), At: l}, w
}

// A process is killed in the middle of a download, and the next goes on.
func TestKilledInTheMiddle(t *testing.T) {
	path, content := big(t)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "small"), "small")
	if err := os.Rename(path, filepath.Join(folder, "big")); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Ref{"file": File(filepath.Join(folder, "big")), "folder": Dir(folder)} {
		t.Run(name, func(t *testing.T) {
			e, gets := serve(t, r)
			hold := make(chan struct{})
			gets.set(func(part driver.Range) error {
				if part.Offset >= 4*rangeSize {
					<-hold
				}
				return nil
			})
			first := start(t, e)
			waitForPart(t, e.Cache, 4*rangeSize, int64(len(content)))
			first.kill()
			gets.set(nil)
			close(hold)
			gets.take()
			got := start(t, e).path()
			if name == "folder" {
				if got := string(must(os.ReadFile(filepath.Join(got, "small")))(t)); got != "small" {
					t.Errorf("read %q", got)
				}
				got = filepath.Join(got, "big")
			}
			if string(must(os.ReadFile(got))(t)) != content {
				t.Error("another content")
			}
			// What the killed process had asked for may be read late.
			gets.mu.Lock()
			defer gets.mu.Unlock()
			for _, part := range gets.parts {
				if part.Offset < 4*rangeSize && part.Length == rangeSize {
					t.Errorf("after the kill, the range from %d on was read again", part.Offset)
				}
			}
		})
	}
}

// Kill it again and again, whenever: it comes to its end, and reads little twice.
func TestKilledAgainAndAgain(t *testing.T) {
	path, content := big(t)
	e, gets := serve(t, File(path))
	gets.set(func(driver.Range) error { time.Sleep(time.Duration(rand.N(20)) * time.Millisecond); return nil })
	const kills = 10
	for range kills {
		p := start(t, e)
		time.Sleep(time.Duration(rand.N(100)) * time.Millisecond)
		p.kill()
	}
	got := start(t, e).path()
	if string(must(os.ReadFile(got))(t)) != content {
		t.Error("another content")
	}
	n, _ := gets.take()
	if n > bigRanges+kills*parallelRanges {
		t.Errorf("%d ranges were read", n)
	}
	t.Logf("killed %d times, read %d ranges of %d", kills, n, bigRanges)
}

// waitForPart waits until so much of a part is complete.
func waitForPart(t *testing.T, cache string, complete, size int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) { // another process offers no event
		for _, path := range must(filepath.Glob(filepath.Join(cache, "sha256", "*", "*"+localcache.PartSuffix)))(t) {
			if file, err := os.Open(path); err == nil {
				n := (&localcache.Part{File: file}).Complete(size)
				file.Close()
				if n >= complete {
					return
				}
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no part is as complete as that")
		}
	}
}

// Processes that need the same at the same time fetch it once.
func TestProcessesFetchOnce(t *testing.T) {
	path, _ := big(t)
	dir := folder(t)
	for name, c := range map[string]struct {
		r    *Ref
		gets int
	}{
		"big":    {File(path), bigRanges},
		"small":  {File(tempFile(t, pattern(100<<10))), 1},
		"folder": {Dir(dir), 1 + 7},
	} {
		t.Run(name, func(t *testing.T) {
			e, gets := serve(t, c.r)
			var processes []*process
			for range 4 {
				processes = append(processes, start(t, e))
			}
			paths := map[string]bool{}
			for _, p := range processes {
				paths[p.path()] = true
			}
			if n, _ := gets.take(); n != c.gets || len(paths) != 1 {
				t.Errorf("%d reads, want %d; found at %v", n, c.gets, paths)
			}
		})
	}
}

// A process that was suspended in a download keeps nobody waiting for ever.
func TestSuspendedProcess(t *testing.T) {
	store := remoteStore(t)
	f := newFiles(t)
	f.cache.Patience = 50 * time.Millisecond
	path, content := big(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x"), "content of x")
	file, tree := asArgument(t, f, store, File(path)), asArgument(t, f, store, Dir(dir))
	other := newFiles(t).cache
	defer must(other.FilePart(t.Context(), f.cachePath(file.Hash())))(t).Close(true)
	defer must(other.FolderPart(t.Context(), f.treePath(tree.Hash())))(t).Close(true)
	if got := read(t, file); got != content {
		t.Error("another content")
	}
	if got := must(os.ReadFile(filepath.Join(must(tree.Path(t.Context()))(t), "x")))(t); string(got) != "content of x" {
		t.Errorf("read %q", got)
	}
}

// A caller that waits for another process heeds its context.
func TestWaitingIsCancelled(t *testing.T) {
	store := remoteStore(t)
	f := newFiles(t)
	r := asArgument(t, f, store, File(tempFile(t, "content")))
	held := must(newFiles(t).cache.FilePart(t.Context(), f.cachePath(r.Hash())))(t)
	if !strings.HasSuffix(held.Path, localcache.PartSuffix) {
		held.Close(false)
		t.Skip("this file system has no locks")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Path(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	held.Close(false)
	if got := read(t, r); got != "content" {
		t.Errorf("read %q", got)
	}
}

// A download whose connection breaks goes on where its blob is renewed meanwhile.
func TestDownloadOfWhatIsRenewed(t *testing.T) {
	bare, text := remoteStore(t), pattern(100<<10)
	f := newFiles(t)
	r := asArgument(t, f, bare, File(tempFile(t, text)))
	gets := 0
	store := blob.Retry(blobtest.Faulty(bare, blobtest.FaultPlan{Seed: 1, Cut: 0.5, Before: func(op blobtest.Op, key string) error {
		if op != blobtest.OpGet {
			return nil
		}
		if gets++; gets == 2 {
			_, err := bare.PutBytes(t.Context(), key, []byte(text), blob.PutOptions{})
			return err
		}
		return nil
	}}), blob.RetryPolicy{First: time.Millisecond})
	same := bound(t, f, store, r, []Location{{Identity{KindFile, r.Hash(), int64(len(text))}, BlobKey(r.Hash())}})
	if got := read(t, same); got != text || gets < 3 {
		t.Errorf("read %d bytes with %d gets", len(got), gets)
	}
}
