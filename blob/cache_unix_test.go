//go:build unix

package blob_test

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile/openfiletest"
)

// Nothing waits for a file that is not an entry of the cache: it counts as
// absent, and is removed.
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
		if kind != "dangling link" { // readers do not see it, so nobody removes it
			r.reads(t, ctx, "key", "one", 0)
		}
	}
}
