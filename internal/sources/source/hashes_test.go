package source

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// countHashed counts how often f hashes a file.
func countHashed(f *Files) *counter {
	c := new(counter)
	f.hashes.Moment = func(moment, _ string) {
		if moment == filehash.Hashed {
			c.add()
		}
	}
	return c
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
}

func (c *counter) take() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = 0
	return n
}

// A file is hashed once as long as it stays the same, in other processes too,
// and again when anything about it changed.
func TestHashedOnce(t *testing.T) {
	state := t.TempDir()
	path := tempFile(t, "content")
	f := settled(newFilesWith(t, Options{StateDir: state}))
	hashed := countHashed(f)
	r := File(path)
	resolve := func(f *Files) Hash {
		t.Helper()
		if err := f.Resolve(t.Context(), []*Ref{r, File(path), r}); err != nil {
			t.Fatal(err)
		}
		return r.Hash()
	}
	first := resolve(f)
	resolve(f)
	if n := hashed.take(); n != 1 {
		t.Errorf("hashed %d times", n)
	}
	other := settled(newFilesWith(t, Options{StateDir: state}))
	hashed = countHashed(other)
	if got := resolve(other); got != first || hashed.take() != 0 {
		t.Errorf("another process hashed again, or got %s instead of %s", got, first)
	}

	// Content may reach the disk before its times do, when the machine goes down.
	afterBoot := settled(newFilesWith(t, Options{StateDir: state}))
	afterBoot.hashes.Boot = "another"
	hashed = countHashed(afterBoot)
	if got := resolve(afterBoot); got != first || hashed.take() != 1 {
		t.Errorf("after a boot it was not hashed again, or is %s instead of %s", got, first)
	}

	// One that writes and sets the time back.
	info := must(os.Stat(path))(t)
	tick(t, path)
	write(t, path, "CONTENT")
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got := resolve(other); got != Hash(sha256.Sum256([]byte("CONTENT"))) {
		t.Error("a change that left size and modification time was not seen")
	}
}

// A file that cannot be used costs time, not correctness.
func TestUnusableHashes(t *testing.T) {
	state := t.TempDir()
	if err := os.Mkdir(filepath.Join(state, "source-hashes"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := newFilesWith(t, Options{StateDir: state, CacheDir: t.TempDir()})
	if got := read(t, asArgument(t, f, localStore(t), File(tempFile(t, "content")))); got != "content" {
		t.Errorf("read %q", got)
	}
}

// Hashing a file right after it was written may catch a state that the next
// write replaces without a trace in the stamp.
func TestRacyIsNotRemembered(t *testing.T) {
	f := fresh(newFiles(t))
	f.hashes.Settle = func(context.Context, *os.File) bool {
		t.Error("a file was written to the disk for nothing")
		return true
	}
	hashed := countHashed(f)
	path := tempFile(t, "content")
	for range 2 {
		if err := f.Resolve(t.Context(), []*Ref{File(path)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := hashed.take(); n != 2 {
		t.Errorf("hashed %d times", n)
	}
}

// A user may write to a file by its URI below a root, so its young age matters;
// blobs that mops alone writes are trusted at once.
func TestOursIsTrusted(t *testing.T) {
	f, store, out := fresh(newFiles(t)), localStore(t), t.TempDir()
	path := write(t, filepath.Join(out, "file"), "content")
	for to, want := range map[*Ref]int{
		File(path):                                      0,
		FileAt(path, store.URI("theirs/file")):          2,
		FileAt(path, store.URI("mops1-of-theirs/file")): 2,
	} {
		r := asResult(t, f, store, out, to)
		hashed := countHashed(f)
		for range 2 {
			if got := read(t, r); got != "content" {
				t.Errorf("%s: read %q", to, got)
			}
		}
		if n := hashed.take(); n != want {
			t.Errorf("%s: hashed %d times", r.URI(), n)
		}
	}
}

// Calls that wait for one file whose hash is not remembered share the next
// answer, and no call gets one that was asked for before it came.
func TestUnrememberedIsShared(t *testing.T) {
	files := []*Files{fresh(newFiles(t)), fresh(newFiles(t))}
	path := tempFile(t, "content")
	for i, r := range []*Ref{File(path), Dir(filepath.Dir(path))} {
		f := files[i]
		place := r.path
		if r.want == KindDir {
			place += "/"
		}
		const calls = 8
		var n atomic.Int32
		var wg sync.WaitGroup
		call := func() {
			if err := f.Resolve(t.Context(), []*Ref{{path: r.path, want: r.want}}); err != nil {
				t.Error(err)
			}
		}
		f.hashes.Moment = func(moment, _ string) {
			if n.Add(1) > 1 {
				return
			}
			for range calls - 1 {
				wg.Go(call)
			}
			for waiting := 0; waiting < calls; runtime.Gosched() {
				f.finder.mu.Lock()
				waiting = f.answers[place].wanted
				f.finder.mu.Unlock()
			}
		}
		wg.Go(call)
		wg.Wait()
		if n := n.Load(); n != 2 {
			t.Errorf("%d calls: hashed %d times", calls, n)
		}
		if len(f.answers) > 0 {
			t.Errorf("answers are kept: %v", f.answers)
		}
	}
}
