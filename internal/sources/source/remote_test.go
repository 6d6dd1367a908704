package source

import (
	"context"
	"crypto/sha256"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// A file at a URI is read once per version to know its content, stays where it
// is, and is verified when it is read.
func TestAt(t *testing.T) {
	home, f := localStore(t), newFiles(t)
	other, count := blobcount.New(remoteStore(t))
	f.open = func(_ context.Context, uri string) (*blob.Store, error) {
		if uri != other.Root() {
			t.Errorf("opened %s", uri)
		}
		return other, nil
	}
	put := func(content string) {
		if _, err := other.PutBytes(t.Context(), "data.csv", []byte(content), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("version 1")
	uri := other.URI("data.csv")
	r := asArgument(t, f, home, At(uri))
	if count.Counts().Get != 1 || len(keys(t, home)) != 0 || r.URI() != uri {
		t.Errorf("%+v; the store holds %q; it is at %s", count.Counts(), keys(t, home), r.URI())
	}
	asArgument(t, f, home, At(uri))
	if n := count.Counts().Get; n != 1 {
		t.Errorf("one version was read %d times", n)
	}
	if got := read(t, r); got != "version 1" {
		t.Errorf("read %q", got)
	}
	put("version 2")
	if got := read(t, asArgument(t, f, home, At(uri))); got != "version 2" {
		t.Errorf("read %q", got)
	}

	put("version 3")
	old := must(Decode(must(r.MarshalCBOR())(t)))(t)
	id, _ := old.Identity()
	fresh := newFilesWith(t, Options{CacheDir: t.TempDir()})
	fresh.open = f.open
	if err := fresh.Bind(home, callPrefix, []*Ref{old}, []Location{{id, uri}}); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open(t.Context()); !blob.Is(err, blob.Corrupt) {
		t.Errorf("another version was read for the first: %v", err)
	}

	err := f.Resolve(t.Context(), []*Ref{At(other.URI("missing.csv"))})
	wantError(t, err, other.URI("missing.csv"), "there is no such file")
	if !blob.Is(err, blob.NotFound) {
		t.Errorf("%v is not NotFound", err)
	}
}

// One that is opened outside of a call.
func TestAtOpenedAtOnce(t *testing.T) {
	f, store := newFiles(t), remoteStore(t)
	if _, err := store.PutBytes(t.Context(), "data.csv", []byte("content"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	r := At(store.URI("data.csv"))
	_, err := r.Open(t.Context())
	wantError(t, err, "environment")
	r.Attach(f)
	if got := read(t, r); got != "content" {
		t.Errorf("read %q", got)
	}
}

// A URI below the root that is in use is a reference below that root, which
// holds wherever it is mounted.
func TestAtBelowRoot(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f, out := newFiles(t), t.TempDir()
			result := asResult(t, f, store, out, File(write(t, filepath.Join(out, "a"), "content")))
			before := keys(t, store)
			r := At(result.URI())
			if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
				t.Fatal(err)
			}
			l := must(f.Upload(t.Context(), store, []*Ref{r}, 0))(t)[0]
			if name == "remote" && l.At != callPrefix+"/out/run1/a" {
				t.Errorf("referenced as %s", l.At)
			}
			if name == "remote" && !slices.Equal(keys(t, store), before) {
				t.Errorf("stored again: %q", keys(t, store))
			}
			if got := read(t, bound(t, f, store, r, []Location{l})); got != "content" {
				t.Errorf("read %q", got)
			}
		})
	}
}

// telling is a store that knows hashes.
type telling struct{ driver.Store }

func (s telling) Stat(ctx context.Context, key string) (driver.Info, error) {
	info, err := s.Store.Stat(ctx, key)
	if body, _, err := s.Store.Get(ctx, key, driver.Range{}); err == nil {
		defer body.Close()
		sum, _, _ := filehash.Of(ctx, body)
		info.SHA256 = Hash(sum).String()
	}
	return info, err
}

// The hash of a file elsewhere is found out once on a machine, or the store
// tells it.
func TestHashOfRemote(t *testing.T) {
	local := localStore(t)
	if _, err := local.PutBytes(t.Context(), "data.csv", []byte(pattern(3<<20)), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	gets := &watched{Store: local.Driver()}
	uri := blobtest.Serve(t, blob.New("file://served", gets))
	state := t.TempDir()
	var sums []Hash
	for range 3 {
		f := newFilesWith(t, Options{StateDir: state})
		r := At(uri + "/data.csv")
		if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, r.Hash())
		f.Close()
	}
	if n, _ := gets.take(); n != 1 || sums[1] != sums[0] || sums[2] != sums[0] {
		t.Errorf("%d reads, hashes %v", n, sums)
	}

	told, count := blobcount.New(blob.New("told://here", telling{local.Driver()}))
	f := newFilesWith(t, Options{})
	f.open = func(context.Context, string) (*blob.Store, error) { return told, nil }
	r := At("told://here/data.csv")
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	if c := count.Counts(); c.Get != 0 || r.Hash() != sums[0] || r.Size() != 3<<20 {
		t.Errorf("%+v; it has hash %v and %d bytes", c, r.Hash(), r.Size())
	}
}

// Calls that come together ask together, and each learns what was there when it
// came.
func TestManyAskForRemote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memblob.New()
		slow := blobtest.Faulty(blob.New("slow://here", mem), blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
			time.Sleep(20 * time.Millisecond)
			return nil
		}})
		store, count := blobcount.New(slow)
		f := newFilesWith(t, Options{})
		f.open = func(context.Context, string) (*blob.Store, error) { return store, nil }
		put := func(content string) {
			if _, err := blob.New("slow://here", mem).PutBytes(t.Context(), "x", []byte(content), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(want string) {
			r := At("slow://here/x")
			if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
				t.Error(err)
			}
			if r.Hash() != sha256.Sum256([]byte(want)) {
				t.Errorf("it is not known that there is %q now", want)
			}
		}
		for _, content := range []string{"one", "two"} {
			put(content)
			var asking sync.WaitGroup
			for range 1000 {
				asking.Go(func() { ask(content) })
			}
			asking.Wait()
		}
		put("three")
		ask("three")
		if c := count.Counts(); c.Stat > 5 || c.Get != 3 {
			t.Errorf("2001 calls asked %d times and read %d times", c.Stat, c.Get)
		}
	})
}

// A store of a URI that fails now and then is tried again.
func TestRemoteFails(t *testing.T) {
	bare := remoteStore(t)
	if _, err := bare.PutBytes(t.Context(), "x", []byte("content"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	tries := 0
	f := newFiles(t)
	f.open = func(context.Context, string) (*blob.Store, error) {
		return blobtest.Faulty(bare, blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
			if tries++; tries%2 == 1 {
				return &driver.Error{Kind: driver.Unavailable}
			}
			return nil
		}}), nil
	}
	r := At(bare.URI("x"))
	r.Attach(f)
	if got := read(t, r); got != "content" {
		t.Errorf("read %q", got)
	}
}

// Ranges transfer only the bytes that were asked for, of the known file.
func TestRemoteRanges(t *testing.T) {
	store, gets := elsewhere(t)
	f := newFilesWith(t, Options{})
	r := asArgument(t, f, store, File(tempFile(t, pattern(1000))))
	for _, c := range []struct{ off, n, gets int64 }{{0, 0, 0}, {10, 0, 0}, {1000, 5, 0}, {2000, -1, 0}, {3, 4, 1}, {990, 100, 1}, {995, -1, 1}} {
		body := must(r.OpenRange(t.Context(), c.off, c.n))(t)
		data := string(must(io.ReadAll(body))(t))
		body.Close()
		end := min(c.off+c.n, 1000)
		if c.n < 0 {
			end = 1000
		}
		if want := pattern(1000)[min(c.off, 1000):max(end, min(c.off, 1000))]; data != want {
			t.Errorf("%+v: %q, want %q", c, data, want)
		}
		if n, _ := gets.take(); int64(n) != c.gets {
			t.Errorf("%+v: %d reads", c, n)
		}
	}
	if _, err := store.PutBytes(t.Context(), BlobKey(r.Hash()), []byte("another"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.OpenRange(t.Context(), 1, 2); !blob.Is(err, blob.Corrupt) {
		t.Errorf("a part of another file was read: %v", err)
	}
	if err := store.Delete(t.Context(), BlobKey(r.Hash())); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{0, 2} {
		_, err := r.OpenRange(t.Context(), 1, n)
		wantError(t, err, "gone", "mops.Refresh")
	}
}
