//go:build unix

package blob_test

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/openfile/openfiletest"
)

// Nothing waits for what is no entry of the cache: it counts as absent, and goes.
func TestCacheWithOddThings(t *testing.T) {
	for kind := range openfiletest.Odd {
		r, ctx := newRig(t), t.Context()
		if _, err := r.store.PutBytes(ctx, "key", []byte("one"), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		paths, _ := r.entries(t)
		openfiletest.Put(t, paths[0], kind)
		openfiletest.Soon(t, kind, func() (any, error) {
			r.reads(t, ctx, "key", "one", 1)
			return nil, nil
		})
		if kind != "dangling link" { // which is not there for who reads, so nobody removes it
			r.reads(t, ctx, "key", "one", 0)
		}
	}
}
