package blobtest_test

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
)

// A served store keeps the rules that the store keeps itself.
func TestServed(t *testing.T) {
	blobtest.RegisterServed()
	for name, inner := range map[string]func(t *testing.T) *blob.Store{
		"mem": func(*testing.T) *blob.Store { return blob.New("mem://served", memblob.New()) },
		"file": func(t *testing.T) *blob.Store {
			s, err := fileblob.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) *blob.Store {
				s, err := blob.Open(t.Context(), blobtest.Serve(t, inner(t)))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				if s.IsLocal() {
					t.Error("it is local")
				}
				return s
			})
		})
	}
}
