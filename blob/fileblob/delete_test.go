package fileblob

import (
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

// TestDeleteAmidst: some processes put, swap and read one blob, and others
// delete it again and again. Every failure has a reason; every reader reads a
// whole blob, and within one life never an older version than before.
func TestDeleteAmidst(t *testing.T) {
	both(t, func(t *testing.T, named bool) {
		b := openTemp(t)
		if named {
			b.Driver().(*store).named.Store(true)
		}
		ctx, key := t.Context(), "folder/key"
		expect := func(what string, err error, kinds ...blob.Kind) {
			if err != nil && !slices.Contains(kinds, blob.KindOf(err)) {
				t.Errorf("%s: %v", what, err)
			}
		}
		work := []func() error{
			func() error {
				_, err := b.PutBytes(ctx, key, []byte(sealed(3000, "first")), blob.PutOptions{IfAbsent: true})
				expect("put if absent", err, blob.Exists)
				return err
			},
			func() error {
				_, err := b.PutBytes(ctx, key, []byte(sealed(3000, "any")), blob.PutOptions{})
				expect("put", err)
				return err
			},
			func() error {
				info, err := b.Stat(ctx, key)
				expect("stat", err, blob.NotFound)
				if err == nil {
					_, err = b.PutBytes(ctx, key, []byte(sealed(3000, "swap")), blob.PutOptions{IfVersion: info.Version})
					expect("swap", err, blob.Mismatch)
				}
				return err
			},
			func() error {
				_, before, err1 := readSealed(ctx, b, key)
				expect("read", err1, blob.NotFound)
				_, after, err2 := readSealed(ctx, b, key)
				expect("read", err2, blob.NotFound)
				v, ok1 := parseToken(before.Version)
				w, ok2 := parseToken(after.Version)
				if ok1 && ok2 && v.life == w.life && w.number < v.number {
					t.Errorf("read version %d, and then %d", v.number, w.number)
				}
				return err1
			},
			func() error {
				for _, err := range b.List(ctx, "", "") {
					expect("list", err)
				}
				return nil
			},
			func() error {
				if rand.IntN(4) > 0 {
					return nil
				}
				err := b.Delete(ctx, key)
				expect("delete", err)
				return err
			},
		}
		var wg sync.WaitGroup
		for _, do := range slices.Concat(work, work) {
			wg.Go(func() {
				for range soak(300, 20_000) {
					do()
				}
			})
		}
		wg.Wait()
		if err := b.Delete(ctx, key); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(b.Driver().(*store).dir)
		if err != nil {
			t.Error(err)
		}
		for _, e := range left {
			if e.Name() != tempDir {
				t.Errorf("in the end, there is left %s", e.Name())
			}
		}
	})
}
