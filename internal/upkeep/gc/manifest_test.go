package gc

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// A blob under the hash of a folder that is not its manifest takes no memory,
// however large. And no manifest is too large to read, or the content that it
// names would go.
func TestManifestsAreReadWhateverTheirSize(t *testing.T) {
	s, counter := blobcount.New(blob.New("mem://test", memblob.New()))
	r := &run{store: s}
	for size, gets := range map[int]int{1000: 1, usualManifest: 1, usualManifest + 1: 3} {
		data := bytes.Repeat([]byte{1}, size)
		hash := source.Hash(sha256.Sum256(data))
		for _, sound := range []bool{true, false} {
			if !sound {
				data[size/2] ^= 1
			}
			if _, err := s.PutBytes(t.Context(), source.BlobKey(hash), data, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			before := counter.Counts().Get
			got, err := r.manifest(t.Context(), hash)
			if err != nil || sound != bytes.Equal(got, data) || !sound && got != nil {
				t.Errorf("%d bytes, sound %t: %d bytes came, %v", size, sound, len(got), err)
			}
			if n := counter.Counts().Get - before; sound && n != gets {
				t.Errorf("%d bytes were read in %d times", size, n)
			}
		}
	}
}
