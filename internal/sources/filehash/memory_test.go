package filehash

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A process finds what another learned after both had started.
func TestHashesAreShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	a, b := newTestHashes(t, path), newTestHashes(t, path)
	for i := range byte(3) {
		a.put(key{i}, Sum{i}, true)
		if sum, ok := b.get(key{i}); !ok || sum != (Sum{i}) {
			t.Errorf("%d: got %v, %v", i, sum, ok)
		}
		b.put(key{100 + i}, Sum{i}, true)
		if _, ok := a.get(key{100 + i}); !ok {
			t.Errorf("%d did not come back", i)
		}
	}
	a.put(key{50}, Sum{50}, false)
	if _, ok := b.get(key{50}); ok {
		t.Error("what is not to be persisted was")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c := newTestHashes(t, path)
	c.put(key{60}, Sum{60}, true)
	if _, ok := a.get(key{60}); !ok {
		t.Error("the file was replaced, and nobody looked")
	}
}

func newTestHashes(t testing.TB, path string) *memory {
	h := newMemory(path, func(err error) { t.Error(err) })
	t.Cleanup(func() { h.close() })
	return h
}

// Damaged lines are skipped; those around them count.
func TestDamagedHashes(t *testing.T) {
	good := func(i byte) []byte { return appendHash(nil, key{i}, Sum{i}) }
	flipped := good(2)
	flipped[40] ^= 1
	torn := good(3)[:50]
	data := bytes.Join([][]byte{good(1), flipped, torn, good(4), []byte("\n\x00\xffgarbage\n"), bytes.Repeat([]byte("x"), 200_000), []byte("\n"), good(5), good(6)[:60]}, nil)
	path := filepath.Join(t.TempDir(), "hashes")
	write(t, path, data)
	h := newTestHashes(t, path)
	for i, want := range map[byte]bool{1: true, 2: false, 3: false, 4: false, 5: true, 6: false} { // 4 was written behind half of 3
		sum, ok := h.get(key{i})
		if ok != want || ok && sum != (Sum{i}) {
			t.Errorf("%d: got %v, %v", i, sum, ok)
		}
	}
}

func TestHashesShrink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	var data []byte
	keyOf := func(i int) (k key) {
		k[0], k[1], k[2] = byte(i), byte(i>>8), byte(i>>16)
		return k
	}
	const n = 2*maxHashes + 10
	for i := range n {
		data = appendHash(data, keyOf(i), Sum{byte(i)})
	}
	write(t, path, data)
	h := newTestHashes(t, path)
	if _, ok := h.get(keyOf(n - 1)); !ok {
		t.Error("the newest was forgotten")
	}
	if _, ok := h.get(keyOf(0)); ok {
		t.Error("the oldest was kept")
	}
	if info, err := os.Stat(path); err != nil || info.Size() != maxHashes*hashesLine {
		t.Errorf("%v: %v is left", err, info)
	}
	h.put(keyOf(n), Sum{7}, true)
	if _, ok := newTestHashes(t, path).get(keyOf(n)); !ok {
		t.Error("nothing can be added any more")
	}
}

// Many goroutines and two tables on one file.
func TestHashesConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	tables := []*memory{newTestHashes(t, path), newTestHashes(t, path)}
	var wg sync.WaitGroup
	for g := range byte(8) {
		wg.Go(func() {
			for i := range byte(50) {
				tables[g%2].put(key{g, i}, Sum{g, i}, true)
				tables[(g+1)%2].get(key{g, i})
			}
		})
	}
	wg.Wait()
	fresh := newTestHashes(t, path)
	for g := range byte(8) {
		for i := range byte(50) {
			if sum, ok := fresh.get(key{g, i}); !ok || sum != (Sum{g, i}) {
				t.Fatalf("%d, %d: got %v, %v", g, i, sum, ok)
			}
		}
	}
}

func TestRacy(t *testing.T) {
	now := time.Now()
	for age, want := range map[time.Duration]bool{0: true, time.Second: true, racyFor: false, time.Hour: false, -time.Hour: true} {
		if got := (Stamp{ctime: now.Add(-age).UnixNano()}).racy(now); got != want {
			t.Errorf("racy %v after the change: %v", age, got)
		}
	}
}
