package source

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// text is a value whose encoding is counted.
type text struct {
	content string
	encoded atomic.Int64
}

func (v *text) encode(context.Context) ([]byte, error) {
	v.encoded.Add(1)
	return []byte(v.content), nil
}

// decoder decodes texts, and counts.
type decoder struct{ decoded atomic.Int64 }

func (d *decoder) decode(data []byte) (any, error) {
	d.decoded.Add(1)
	if string(data) == "no" {
		return nil, errors.New("not decoded")
	}
	return string(data), nil
}

func (d *decoder) get(t testing.TB, r *Ref) string {
	t.Helper()
	return must(r.Decoded(t.Context(), "text", d.decode))(t).(string)
}

func TestAValueIsStoredDownloadedAndDecodedOnce(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			store, count := blobcount.New(s)
			v := &text{content: pattern(100 << 10)}
			r := must(Value(t.Context(), v.encode))(t)
			f := newFiles(t)
			var callers sync.WaitGroup
			for range 64 {
				callers.Go(func() { asArgument(t, f, store, r) })
			}
			callers.Wait()
			if n := count.Counts(); v.encoded.Load() != 1 || n.PutIfAbsent != 1 || n.Total() != n.PutIfAbsent+n.Stat {
				t.Errorf("encoded %d times; %+v", v.encoded.Load(), n)
			}
			if r.content.file.value.data != nil {
				t.Error("its encoding is kept in memory as well")
			}

			var d decoder
			there := asArgument(t, f, store, r)
			elsewhere := newFiles(t)
			before := count.Counts().Get
			for range 64 {
				callers.Go(func() {
					again := must(Decode(must(there.MarshalCBOR())(t)))(t)
					if err := elsewhere.Bind(store, callPrefix, []*Ref{again}, []Location{{r.content.id, BlobKey(r.Hash())}}); err != nil {
						t.Error(err)
					}
					if d.get(t, again) != v.content {
						t.Error("it is another")
					}
				})
			}
			callers.Wait()
			gets := count.Counts().Get - before
			if want := map[string]int{"remote": 1}[name]; d.decoded.Load() != 1 || gets != want {
				t.Errorf("decoded %d times, downloaded %d times", d.decoded.Load(), gets)
			}
		})
	}
}

func TestAValueIsEncodedAgainWhenItsBlobIsGone(t *testing.T) {
	f, store := newFiles(t), remoteStore(t)
	v := &text{content: "before"}
	r := must(Value(t.Context(), v.encode))(t)
	there := asArgument(t, f, store, r)
	key := BlobKey(r.Hash())
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	var d decoder
	_, err := there.Decoded(t.Context(), "text", d.decode)
	wantError(t, err, store.URI(key), "gone", "mops.Refresh")
	if !blob.Is(err, blob.NotFound) {
		t.Error(err)
	}
	if got := d.get(t, asArgument(t, f, store, r)); got != "before" || v.encoded.Load() != 2 {
		t.Errorf("%q, encoded %d times", got, v.encoded.Load())
	}
	v.content = "after"
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	f.Forget(time.Now())
	_, err = f.Upload(t.Context(), store, []*Ref{r}, 0)
	wantError(t, err, "was changed after it was shared", "copy")
	if !errors.Is(err, ErrChanged) || len(keys(t, store)) != 0 {
		t.Errorf("%v; the store has %q", err, keys(t, store))
	}
}

func TestADamagedValueIsAnErrorAndStoredAnew(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			r := must(Value(t.Context(), (&text{content: "sound"}).encode))(t)
			there := asArgument(t, f, store, r)
			if _, err := store.PutBytes(t.Context(), BlobKey(r.Hash()), []byte("wrong"), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			var d decoder
			if _, err := there.Decoded(t.Context(), "text", d.decode); !blob.Is(err, blob.Corrupt) {
				t.Errorf("%v", err)
			}
			if got := d.get(t, asArgument(t, f, store, r)); got != "sound" || d.decoded.Load() != 1 {
				t.Errorf("%q, decoded %d times", got, d.decoded.Load())
			}
		})
	}
}

func TestAValueGoesFromStoreToStore(t *testing.T) {
	f, one, two := newFiles(t), remoteStore(t), localStore(t)
	v := &text{content: "x"}
	there := asArgument(t, f, one, must(Value(t.Context(), v.encode))(t))
	var d decoder
	if got := d.get(t, asResult(t, f, two, "", there)); got != "x" || v.encoded.Load() != 1 {
		t.Errorf("%q, encoded %d times", got, v.encoded.Load())
	}
}

func TestAValueIsReadWithoutAStoreOrACache(t *testing.T) {
	var d decoder
	f := newFilesWith(t, Options{})
	r := must(Value(t.Context(), (&text{content: "kept nowhere"}).encode))(t)
	decoded := must(Decode(must(r.MarshalCBOR())(t)))(t)
	f.Adopt([]*Ref{decoded}, []*Ref{File("x"), r})
	if err := f.Bind(nil, "", []*Ref{decoded}, []Location{{Identity: r.content.id}}); err != nil {
		t.Fatal(err)
	}
	if got := d.get(t, decoded); got != "kept nowhere" {
		t.Errorf("%q", got)
	}
	store := remoteStore(t)
	if got := d.get(t, asArgument(t, f, store, must(Value(t.Context(), (&text{content: "far"}).encode))(t))); got != "far" {
		t.Errorf("%q", got)
	}
}

func TestAValueThatCannotBeDecoded(t *testing.T) {
	var d decoder
	there := asArgument(t, newFiles(t), remoteStore(t), must(Value(t.Context(), (&text{content: "no"}).encode))(t))
	for range 2 {
		_, err := there.Decoded(t.Context(), "text", d.decode)
		wantError(t, err, "intact", "not decoded")
	}
}

func TestWhatWasNotUsedForLongestIsLetGo(t *testing.T) {
	key := func(name string) decodedKey { return decodedKey{target: name} }
	d := decoded{most: 10}
	d.put(key("a"), "A", 4)
	d.put(key("b"), "B", 4)
	d.get(key("a"))
	d.put(key("c"), "C", 4)
	for name, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, ok := d.get(key(name)); ok != want {
			t.Errorf("%s is there: %v", name, ok)
		}
	}
	d.put(key("huge"), strings.Repeat("x", 100), 100)
	if _, ok := d.get(key("huge")); !ok || len(d.known) != 1 || d.weight != 100 {
		t.Errorf("%v: %d values of %d bytes", ok, len(d.known), d.weight)
	}
}
