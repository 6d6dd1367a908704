package memo_test

import (
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/memokey"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// A worker finds the files of its input where they are now, also where an
// earlier call with the same input had them from elsewhere; an invocation that
// says the same already stays as it is.
func TestPutInvocationKeepsWhereSourcesAre(t *testing.T) {
	store, counter := blob.Count(blob.New("mem://test", memblob.New()))
	input := []byte{0}
	key := memokey.Parts{Name: "f", Version: "0", In: "in", Out: "out", Input: input}.Key()
	place := memo.Place{Store: store, Path: memokey.Path("p", "f", "0", key), Key: key}
	for _, c := range []struct {
		location string
		swaps    int // so far
	}{{"elsewhere/out/run/file", 0}, {"mops1-blobs/sha256/00", 1}, {"mops1-blobs/sha256/00", 1}} {
		sources := []record.SourceLocation{{Hash: "00", Size: 1, Location: c.location}}
		header := record.InvocationHeader{Head: record.Head{MemoKey: key.String(), RunID: "run"}, Sources: sources}
		if err := place.PutInvocation(t.Context(), header, input); err != nil {
			t.Fatal(err)
		}
		found, err := place.Invocation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var there record.InvocationHeader
		if err := found.Into(&there); err != nil || !slices.Equal(there.Sources, sources) {
			t.Errorf("the worker finds %v, %v; want %v", there.Sources, err, sources)
		}
		if swaps := counter.Counts().Swap; swaps != c.swaps {
			t.Errorf("%d swaps, want %d", swaps, c.swaps)
		}
	}
}
