package memo_test

import (
	"slices"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// A worker finds the files of its input where they are now, also where an
// earlier call with the same input had them from elsewhere; an invocation that
// says the same already stays as it is.
func TestPutInvocationKeepsWhereSourcesAre(t *testing.T) {
	store, counter := blobcount.New(blob.New("mem://test", memblob.New()))
	input := []byte{0}
	key := memokey.Parts{Name: "f", Version: "0", In: "in", Out: "out", Input: input}.Key()
	place := memo.Place{Store: store, Path: memokey.Path("p", "f", "0", key), Key: key}
	for _, c := range []struct {
		location string
		swaps    int // so far
	}{{"elsewhere/out/run/file", 0}, {"mops1-blobs/sha256/00", 1}, {"mops1-blobs/sha256/00", 1}} {
		sources := []record.SourceLocation{{Hash: "00", Size: 1, Location: c.location}}
		header := record.InvocationHeader{Head: record.Head{MemoKey: key.String(), RunID: "run"}, Sources: sources}
		if err := place.PutInvocation(t.Context(), header, input, 0); err != nil {
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

// In a store with a time to live an old invocation is written again, before the
// store removes it; to find that out takes no more than to find it there.
func TestPutInvocationRenewsWhatIsOld(t *testing.T) {
	mem, now := memblob.New(), time.Now()
	mem.SetClock(func() time.Time { return now })
	const day = 24 * time.Hour
	key := memokey.Parts{Name: "f", Version: "0", In: "in", Out: "out", Input: []byte{0}}.Key()
	header := record.InvocationHeader{Head: record.Head{MemoKey: key.String(), RunID: "run"}}
	for _, c := range []struct{ after, ttl, age time.Duration }{
		{0, 10 * day, 0},
		{4 * day, 10 * day, 4 * day},
		{4 * day, 0, 8 * day},
		{0, 10 * day, 0},
		{4 * day, 10 * day, 4 * day},
	} {
		now = now.Add(c.after)
		store, counter := blobcount.New(blob.New("mem://test", mem))
		place := memo.Place{Store: store, Path: memokey.Path("p", "f", "0", key), Key: key}
		if err := place.PutInvocation(t.Context(), header, []byte{0}, c.ttl); err != nil {
			t.Fatal(err)
		}
		if n := counter.Counts(); n.Total()-n.Clock > 3 {
			t.Errorf("it took %+v", n)
		}
		found, err := place.Invocation(t.Context())
		if age := now.Sub(found.Info.ModTime); err != nil || age != c.age {
			t.Errorf("it is %v old, want %v, %v", age, c.age, err)
		}
	}
}
