package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// countHashed counts how often f hashes a file.
func countHashed(f *Files) *counter {
	c := new(counter)
	f.hook = func(moment, _ string) {
		if moment == hashedFile {
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
	afterBoot.boot = "another"
	hashed = countHashed(afterBoot)
	if got := resolve(afterBoot); got != first || hashed.take() != 1 {
		t.Errorf("after a boot it was not hashed again, or is %s instead of %s", got, first)
	}

	// One that writes and sets the time back.
	info := must(os.Stat(path))(t)
	write(t, path, "CONTENT")
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got := resolve(other); got != Hash(sha256.Sum256([]byte("CONTENT"))) {
		t.Error("a change that left size and modification time was not seen")
	}
}

// What one process learns, another that runs already finds.
func TestHashesAreShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	a, b := newTestHashes(t, path), newTestHashes(t, path)
	for i := range byte(3) {
		a.put(cacheKey{i}, Hash{i}, true)
		if sum, ok := b.get(cacheKey{i}); !ok || sum != (Hash{i}) {
			t.Errorf("%d: got %v, %v", i, sum, ok)
		}
		b.put(cacheKey{100 + i}, Hash{i}, true)
		if _, ok := a.get(cacheKey{100 + i}); !ok {
			t.Errorf("%d did not come back", i)
		}
	}
	a.put(cacheKey{50}, Hash{50}, false)
	if _, ok := b.get(cacheKey{50}); ok {
		t.Error("what is not to be persisted was")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c := newTestHashes(t, path)
	c.put(cacheKey{60}, Hash{60}, true)
	if _, ok := a.get(cacheKey{60}); !ok {
		t.Error("the file was replaced, and nobody looked")
	}
}

func newTestHashes(t testing.TB, path string) *hashes {
	h := newHashes(path, func(err error) { t.Error(err) })
	t.Cleanup(func() { h.close() })
	return h
}

// Damaged lines are passed over; those around them count.
func TestDamagedHashes(t *testing.T) {
	good := func(i byte) []byte { return appendHash(nil, cacheKey{i}, Hash{i}) }
	flipped := good(2)
	flipped[40] ^= 1
	torn := good(3)[:50]
	data := bytes.Join([][]byte{good(1), flipped, torn, good(4), []byte("\n\x00\xffgarbage\n"), bytes.Repeat([]byte("x"), 200_000), []byte("\n"), good(5), good(6)[:60]}, nil)
	path := write(t, filepath.Join(t.TempDir(), "hashes"), string(data))
	h := newTestHashes(t, path)
	for i, want := range map[byte]bool{1: true, 2: false, 3: false, 4: false, 5: true, 6: false} { // 4 was written behind half of 3
		sum, ok := h.get(cacheKey{i})
		if ok != want || ok && sum != (Hash{i}) {
			t.Errorf("%d: got %v, %v", i, sum, ok)
		}
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

func TestHashesShrink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	var data []byte
	key := func(i int) (k cacheKey) {
		k[0], k[1], k[2] = byte(i), byte(i>>8), byte(i>>16)
		return k
	}
	const n = 2*maxHashes + 10
	for i := range n {
		data = appendHash(data, key(i), Hash{byte(i)})
	}
	write(t, path, string(data))
	h := newTestHashes(t, path)
	if _, ok := h.get(key(n - 1)); !ok {
		t.Error("the newest was forgotten")
	}
	if _, ok := h.get(key(0)); ok {
		t.Error("the oldest was kept")
	}
	if size := must(os.Stat(path))(t).Size(); size != maxHashes*hashesLine {
		t.Errorf("%d bytes are left", size)
	}
	h.put(key(n), Hash{7}, true)
	if _, ok := newTestHashes(t, path).get(key(n)); !ok {
		t.Error("nothing can be added any more")
	}
}

// Whoever hashes a file right after it was written may see a state that the next
// write replaces without a trace in the stamp.
func TestRacyIsNotRemembered(t *testing.T) {
	f := newFiles(t)
	f.settle = func(context.Context, *os.File) bool {
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
	now := time.Now()
	for age, want := range map[time.Duration]bool{0: true, time.Second: true, racyFor: false, time.Hour: false, -time.Hour: true} {
		if got := (stamp{ctime: now.Add(-age).UnixNano()}).racy(now); got != want {
			t.Errorf("racy %v after the change: %v", age, got)
		}
	}
}

// Who may write to a file by its URI below a root is a user, so that it is young
// counts; what mops alone writes is trusted at once.
func TestOursIsTrusted(t *testing.T) {
	f, store, out := newFiles(t), localStore(t), t.TempDir()
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
	path := tempFile(t, "content")
	for _, r := range []*Ref{File(path), Dir(filepath.Dir(path))} {
		f := newFiles(t)
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
		f.hook = func(moment, _ string) {
			if n.Add(1) > 1 {
				return
			}
			for range calls - 1 {
				wg.Go(call)
			}
			for waiting := 0; waiting < calls; runtime.Gosched() {
				f.mu.Lock()
				waiting = f.answers[place].wanted
				f.mu.Unlock()
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

// Many goroutines and two tables on one file.
func TestHashesConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	tables := []*hashes{newTestHashes(t, path), newTestHashes(t, path)}
	var wg sync.WaitGroup
	for g := range byte(8) {
		wg.Go(func() {
			for i := range byte(50) {
				tables[g%2].put(cacheKey{g, i}, Hash{g, i}, true)
				tables[(g+1)%2].get(cacheKey{g, i})
			}
		})
	}
	wg.Wait()
	fresh := newTestHashes(t, path)
	for g := range byte(8) {
		for i := range byte(50) {
			if sum, ok := fresh.get(cacheKey{g, i}); !ok || sum != (Hash{g, i}) {
				t.Fatalf("%d, %d: got %v, %v", g, i, sum, ok)
			}
		}
	}
}
