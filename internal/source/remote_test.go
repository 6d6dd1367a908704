package source

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

// A file at a URI is read once per version to know its content, stays where it
// is, and is verified when it is read.
func TestAt(t *testing.T) {
	home, f := localStore(t), newFiles(t)
	other, count := blob.Count(remoteStore(t))
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
	fresh := newFilesWith(t, Options{CacheDir: t.TempDir(), Open: f.open})
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
			l := must(f.Upload(t.Context(), store, []*Ref{r}))(t)[0]
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
