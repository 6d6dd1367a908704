package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// ageing is a store whose clock is that of the test, and half a day off ours.
type ageing struct {
	mem *memblob.Store
	now time.Time
	*blobcount.Counter
}

func newAgeing() *ageing {
	a := &ageing{mem: memblob.New(), now: time.Now().Add(-12 * time.Hour)}
	a.mem.SetClock(func() time.Time { return a.now })
	return a
}

// later is the store after some time, for an environment that knows nothing.
func (a *ageing) later(t *testing.T, d time.Duration) (*blob.Store, *Files) {
	a.now = a.now.Add(d)
	store, count := blobcount.New(blob.New("mem://ageing", a.mem))
	a.Counter = count
	return store, newFiles(t)
}

const day = 24 * time.Hour

// Content that the store, or a sweep, may remove soon is stored again.
func TestAgeOfArguments(t *testing.T) {
	for name, c := range map[string]struct{ ttl, young time.Duration }{
		"said":   {10 * day, 5 * day},
		"unsaid": {0, 30 * day},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAgeing()
			refs := []*Ref{File(tempFile(t, "content")), Dir(folder(t))}
			upload := func(store *blob.Store, f *Files) (puts int) {
				t.Helper()
				if err := f.Resolve(t.Context(), refs); err != nil {
					t.Fatal(err)
				}
				must(f.Upload(t.Context(), store, refs, c.ttl))(t)
				return a.Counts().PutIfAbsent + a.Counts().Swap
			}
			if n := upload(a.later(t, 0)); n != 7 {
				t.Errorf("%d stored at first", n)
			}
			if n := upload(a.later(t, c.young-time.Hour)); n != 0 {
				t.Errorf("%d stored again while young", n)
			}
			if n := upload(a.later(t, 2*time.Hour)); n != 7 || a.Counts().Swap != 7 {
				t.Errorf("%d stored again when old", n)
			}
			if n := upload(a.later(t, c.young-time.Hour)); n != 0 {
				t.Errorf("%d stored again though they were renewed", n)
			}
			if n := a.Counts().Clock; n < 1 || n > 7 { // by calls that come at one moment
				t.Errorf("the clock was asked %d times", n)
			}
		})
	}
}

// Old results that are passed on are copied from their place; without a time to
// live they stay as long as their call.
func TestAgeOfResults(t *testing.T) {
	a := newAgeing()
	out := t.TempDir()
	store, f := a.later(t, 0)
	result := asResult(t, f, store, out, File(write(t, filepath.Join(out, "a"), "result")))
	for _, c := range []struct {
		after, ttl time.Duration
		at         string
	}{
		{40 * day, 0, callPrefix + "/out/run1/a"},
		{0, 100 * day, callPrefix + "/out/run1/a"},
		{0, 60 * day, BlobKey(result.Hash())},
	} {
		store, f := a.later(t, c.after)
		same := bound(t, f, store, result, []Location{{Identity{KindFile, result.Hash(), 6}, callPrefix + "/out/run1/a"}})
		passed := must(f.Upload(t.Context(), store, []*Ref{same}, c.ttl))(t)
		returned := must(f.Publish(t.Context(), store, callPrefix, "run2", "", []*Ref{same}, c.ttl))(t)
		for _, l := range append(passed, returned...) {
			if l.At != c.at {
				t.Errorf("with %v it is referred to at %s, want %s", c.ttl, l.At, c.at)
			}
		}
		if got := read(t, bound(t, f, store, same, passed)); got != "result" {
			t.Errorf("read %q", got)
		}
	}
}

// A thousand calls with one file, or one folder, ask a few times, and all that is
// lost is found out sooner or later.
func TestQuestions(t *testing.T) {
	for name, bare := range stores(t) {
		t.Run(name, func(t *testing.T) {
			store, count := blobcount.New(bare)
			f := newFiles(t)
			now := time.Now()
			f.now = func() time.Time { return now }
			refs := []*Ref{File(tempFile(t, "content")), Dir(folder(t))}
			if err := f.Resolve(t.Context(), refs); err != nil {
				t.Fatal(err)
			}
			upload := func(times int) int {
				t.Helper()
				before := count.Counts().Total()
				for range times {
					must(f.Upload(t.Context(), store, refs, 0))(t)
				}
				return count.Counts().Total() - before
			}
			first := upload(1)
			if n := upload(1000); n != 0 {
				t.Errorf("%d operations for a thousand calls", n)
			}
			file := bound(t, f, store, refs[0], must(f.Upload(t.Context(), store, refs[:1], 0))(t))
			tree := bound(t, f, store, refs[1], must(f.Upload(t.Context(), store, refs[1:], 0))(t))
			read(t, file)
			must(tree.Path(t.Context()))(t)
			if n := upload(1); n != 0 {
				t.Errorf("%d operations after the files were read", n)
			}
			now = now.Add(seenFor)
			if n := upload(1000); n > first {
				t.Errorf("%d operations after a while", n)
			}
			for _, key := range keys(t, bare) {
				if err := bare.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(time.Second)
			f.Forget(now)
			if n := upload(1); n != first {
				t.Errorf("%d operations, want %d, to store again what somebody deleted", n, first)
			}
			// f forgets by itself when it finds something missing.
			os.RemoveAll(f.cache.Dir)
			for _, key := range keys(t, bare) {
				if err := bare.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(time.Second)
			_, fileErr := file.Open(t.Context())
			_, treeErr := tree.Path(t.Context())
			for _, err := range []error{fileErr, treeErr} {
				if !blob.Is(err, blob.NotFound) {
					t.Errorf("%v is not NotFound", err)
				}
			}
			if n := upload(1); n != first {
				t.Errorf("%d operations, want %d, to store again what was found missing", n, first)
			}
		})
	}
}

// Acknowledgements are lost, and all the same a file is stored when it is said to be.
func TestStoredDespiteLostAcknowledgements(t *testing.T) {
	bare := remoteStore(t)
	lost := 0
	store := blob.Retry(blobtest.Faulty(bare, blobtest.FaultPlan{After: func(op blobtest.Op, _ string) error {
		if op == blobtest.OpPut {
			if lost++; lost%2 == 1 {
				return &driver.Error{Kind: driver.Unavailable, Err: errors.New("no answer")}
			}
		}
		return nil
	}}), blob.RetryPolicy{First: time.Millisecond})
	f, out := newFiles(t), t.TempDir()
	argument, result := File(tempFile(t, pattern(3<<20))), File(write(t, filepath.Join(out, "a"), pattern(2<<20)))
	if err := f.Resolve(t.Context(), []*Ref{argument}); err != nil {
		t.Fatal(err)
	}
	locations := must(f.Upload(t.Context(), store, []*Ref{argument}, 0))(t)
	locations = append(locations, must(f.Publish(t.Context(), store, callPrefix, "run1", out, []*Ref{result}, 0))(t)...)
	if lost != 4 {
		t.Errorf("%d puts", lost)
	}
	for i, r := range []*Ref{argument, result} {
		stored := bound(t, newFiles(t), bare, r, locations[i:i+1])
		if got := read(t, stored); !strings.HasPrefix(got, pattern(2<<20)) || int64(len(got)) != r.Size() {
			t.Errorf("read %d bytes", len(got))
		}
	}
}

// An answer from before something turned out to be missing does not count after
// it.
func TestSightingsFromBeforeTheyWereForgotten(t *testing.T) {
	var seen sightings
	asked := time.Now()
	seen.forget(asked.Add(time.Second))
	seen.add("blob", asked)
	if seen.recent("blob", asked.Add(2*time.Second), day) {
		t.Error("it counts as seen whole")
	}
	seen.add("blob", asked.Add(time.Second))
	if !seen.recent("blob", asked.Add(2*time.Second), day) {
		t.Error("what was asked since does not count")
	}
}

// A source known only by its hash is no exception.
func TestAgeOfWhatIsKnownByItsHash(t *testing.T) {
	a := newAgeing()
	store, f := a.later(t, 0)
	r := asArgument(t, f, store, File(tempFile(t, "content")))
	data := must(r.MarshalCBOR())(t)
	for _, c := range []struct {
		after time.Duration
		swaps int
	}{{4 * day, 0}, {2 * day, 1}} {
		store, f := a.later(t, c.after)
		same := must(Decode(data))(t)
		must(f.Upload(t.Context(), store, []*Ref{same}, 10*day))(t)
		if n := a.Counts().Swap; n != c.swaps {
			t.Errorf("written again %d times, want %d", n, c.swaps)
		}
	}
	store, f = a.later(t, 0)
	if err := store.Delete(t.Context(), BlobKey(r.Hash())); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Upload(t.Context(), store, []*Ref{must(Decode(data))(t)}, 10*day); !blob.Is(err, blob.NotFound) {
		t.Errorf("%v is not NotFound", err)
	}
}

// namesake is one of several stores whose roots have the same name.
type namesake struct {
	*memblob.Store
	identity string
}

func (n namesake) Identity() string { return n.identity }

func TestStoresOfOneName(t *testing.T) {
	f := newFiles(t)
	path := tempFile(t, "content")
	for _, service := range []string{"one", "another"} {
		store := blob.New("mem://namesake", namesake{memblob.New(), service})
		if got := read(t, asArgument(t, f, store, File(path))); got != "content" {
			t.Errorf("%s: read %q", service, got)
		}
		if _, err := store.Stat(t.Context(), BlobKey(must(f.findFile(t.Context(), path))(t).id.Hash)); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}
