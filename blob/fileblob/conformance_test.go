package fileblob

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
)

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) *blob.Store { return openTemp(t) })
}

// TestConformanceNamed is for file systems without unnamed files, such as NFS.
func TestConformanceNamed(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) *blob.Store {
		s := openTemp(t)
		s.Driver().(*store).named.Store(true)
		return s
	})
}

func openTemp(t testing.TB) *blob.Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
