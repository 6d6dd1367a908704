package source

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// wrongly is a store whose next answers with content are wrong: by one bit,
// which nobody notices, or so that the store's own checksum notices.
type wrongly struct {
	driver.Store
	left    atomic.Int32
	refuted bool
}

func (w *wrongly) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	body, info, err := w.Store.Get(ctx, key, part)
	if err == nil && w.left.Add(-1) >= 0 {
		body = struct {
			io.Reader
			io.Closer
		}{&wrong{Reader: body, refuted: w.refuted}, body}
	}
	return body, info, err
}

type wrong struct {
	io.Reader
	refuted, done bool
}

func (w *wrong) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 && !w.done {
		p[n/2] ^= 1
		w.done = true
		if w.refuted {
			return n, &driver.Error{Kind: driver.Corrupt, Err: errors.New("wrong checksum")}
		}
	}
	return n, err
}

// The kind of fault: bytes that were read differ from the stored ones. Any read
// of a source's content is repeated, and only if it is wrong again the store is
// to blame, in an error that names the content and the mend.
func TestContentThatCameWrong(t *testing.T) {
	const content = "content of a source"
	for name, c := range map[string]struct {
		file    string
		opts    Options
		refuted bool
		read    func(t *testing.T, f *Files, store *blob.Store, r *Ref) (string, error)
	}{
		"downloaded":          {"small", Options{CacheDir: "cache"}, false, opened},
		"downloaded, refuted": {"small", Options{CacheDir: "cache"}, true, opened},
		"in ranges":           {"big", Options{CacheDir: "cache"}, false, opened},
		"a value":             {"value", Options{}, false, decodedText},
		"a value, refuted":    {"value", Options{}, true, decodedText},
		"a value, cached":     {"value", Options{CacheDir: "cache"}, false, decodedText},
		"copied":              {"small", Options{}, false, copied},
		"copied, refuted":     {"small", Options{}, true, copied},
	} {
		t.Run(name, func(t *testing.T) {
			bare := remoteStore(t)
			w := &wrongly{Store: bare.Driver(), refuted: c.refuted}
			store := blob.New(bare.Root(), w)
			path, want := tempFile(t, content), content
			if c.file == "big" {
				path, want = big(t)
			}
			ref := File(path)
			if c.file == "value" {
				ref = must(Value(t.Context(), (&text{content: content}).encode))(t)
			}
			sender := newFiles(t)
			for times, isDamaged := range []bool{false, false, true} {
				opts := c.opts
				if opts.CacheDir != "" {
					opts.CacheDir = filepath.Join(t.TempDir(), "cache")
				}
				f := newFilesWith(t, opts)
				if err := sender.Resolve(t.Context(), []*Ref{ref}); err != nil {
					t.Fatal(err)
				}
				locations, err := sender.Upload(t.Context(), store, []*Ref{ref}, 0)
				if err != nil {
					t.Fatal(err)
				}
				there := must(Decode(must(ref.MarshalCBOR())(t)))(t)
				if err := f.Bind(store, callPrefix, []*Ref{there}, locations); err != nil {
					t.Fatal(err)
				}
				wrongs := int32(times)
				if isDamaged {
					wrongs = 1 << 20
				}
				w.left.Store(wrongs)
				got, err := c.read(t, f, store, there)
				w.left.Store(0)
				if isDamaged {
					if !blob.Is(err, blob.Corrupt) {
						t.Fatalf("always wrong: %v", err)
					}
					wantError(t, err, ref.Hash().String(), "mops.Refresh")
				} else if err != nil || got != want {
					t.Errorf("wrong %d times: %d bytes, %v", times, len(got), err)
				}
				id := there.Hash()
				if blamed := f.seen.isDamaged(blobName(store, BlobKey(id)), must(store.Stat(t.Context(), BlobKey(id)))(t).Version); blamed != isDamaged {
					t.Errorf("wrong %d times: the store is blamed: %t", times, blamed)
				}
			}
		})
	}
}

func opened(t *testing.T, _ *Files, _ *blob.Store, r *Ref) (string, error) {
	file, err := r.Open(t.Context())
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	return string(data), err
}

func decodedText(t *testing.T, _ *Files, _ *blob.Store, r *Ref) (string, error) {
	v, err := r.Decoded(t.Context(), "text", func(data []byte) (any, error) { return string(data), nil })
	text, _ := v.(string)
	return text, err
}

func copied(t *testing.T, f *Files, _ *blob.Store, r *Ref) (string, error) {
	to := localStore(t)
	if _, err := f.Upload(t.Context(), to, []*Ref{r}, 0); err != nil {
		return "", err
	}
	data, _, err := to.ReadAll(t.Context(), BlobKey(r.Hash()), nil)
	return string(data), err
}

// A file at a URI gets its identity from the bytes that came: these must not be
// bytes that the store itself calls wrong.
func TestHashOfWhatCameWrong(t *testing.T) {
	bare := remoteStore(t)
	w := &wrongly{Store: bare.Driver(), refuted: true}
	other := blob.New(bare.Root(), w)
	f := newFilesWith(t, Options{CacheDir: t.TempDir()})
	f.open = func(context.Context, string) (*blob.Store, error) { return other, nil }
	if _, err := bare.PutBytes(t.Context(), "data.csv", []byte("data"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	w.left.Store(1)
	r := At(bare.URI("data.csv"))
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, r); got != "data" {
		t.Errorf("read %q", got)
	}
}
