package source

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
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
