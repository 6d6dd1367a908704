package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// All kinds of sources in one result.
func TestPublish(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f, out := newFiles(t), t.TempDir()
			elsewhere := tempFile(t, "elsewhere")
			argument := asArgument(t, f, store, File(tempFile(t, "argument")))
			plain := filepath.Join(t.TempDir(), "new", "plain.txt")
			other := must(blob.Open(t.Context(), "mem://other-"+name))(t)
			t.Cleanup(func() { memblob.Forget("mem://other-" + name) })
			a := File(write(t, filepath.Join(out, "a"), "in out"))
			refs := []*Ref{
				a, File(a.path), a, // thrice
				File(write(t, filepath.Join(out, "sub", "b"), "in out")), // the same content
				File(elsewhere),
				argument,
				FileAt(write(t, filepath.Join(out, "c"), "explicit"), other.URI("c.txt")),
				FileAt(filepath.Join(out, "c"), "file://"+plain),
				Dir(filepath.Join(out, "sub")),
			}
			locations := must(f.Publish(t.Context(), store, callPrefix, "run1", out, refs, 0))(t)
			for i, want := range []string{
				"out/run1/a", "out/run1/a", "out/run1/a", "out/run1/sub/b",
				BlobKey(refs[4].Hash()), BlobKey(argument.Hash()), other.URI("c.txt"), "file://" + plain, BlobKey(refs[8].Hash()),
			} {
				if locations[i].At != want {
					t.Errorf("%d went to %s, want %s", i, locations[i].At, want)
				}
			}
			decoded := make([]*Ref, len(refs))
			for i, r := range refs {
				decoded[i] = must(Decode(must(r.MarshalCBOR())(t)))(t)
			}
			if err := f.Bind(store, callPrefix, decoded, locations); err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{"in out", "in out", "in out", "in out", "elsewhere", "argument", "explicit", "explicit"} {
				if got := read(t, decoded[i]); got != want {
					t.Errorf("%d: read %q, want %q", i, got, want)
				}
			}
			// Equal content in several places: each keeps its own.
			for i, r := range decoded {
				if want := locations[i].At; !strings.HasSuffix(r.URI(), want) {
					t.Errorf("%d is at %s, want %s", i, r.URI(), want)
				}
			}
			if got := string(must(os.ReadFile(plain))(t)); got != "explicit" {
				t.Errorf("%s holds %q", plain, got)
			}
			if err := f.Check(t.Context(), decoded); err != nil {
				t.Error(err)
			}
		})
	}
}

// If anything is wrong with one file, nothing of the others is stored before.
func TestPublishRefuses(t *testing.T) {
	store, f, out := localStore(t), newFiles(t), t.TempDir()
	good := File(write(t, filepath.Join(out, "good"), "good"))
	a, b := write(t, filepath.Join(out, "a"), "a"), write(t, filepath.Join(out, "b"), "b")
	uri := "mem://" + t.Name() + "/result.csv"
	for name, c := range map[string]struct {
		refs  []*Ref
		words []string
	}{
		"deleted":        {[]*Ref{File(filepath.Join(out, "gone"))}, []string{"/gone", "still be there when the function returns"}},
		"one URI twice":  {[]*Ref{FileAt(a, uri), FileAt(b, uri)}, []string{a, b, uri}},
		"one file twice": {[]*Ref{FileAt(a, "file:///tmp/../tmp/mops-x"), FileAt(b, "file:///tmp/mops-x")}, []string{".."}},
		"folder":         {[]*Ref{File(out)}, []string{"use Dir"}},
		"odd name":       {[]*Ref{File(write(t, filepath.Join(out, "a\nb"), "x"))}, []string{"rename it"}},
		"unknown scheme": {[]*Ref{FileAt(a, "nosuch://bucket/x")}, []string{"nosuch"}},
		"device":         {[]*Ref{FileAt("/dev/null", "file:///tmp/mops-x")}, []string{"a device"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Publish(t.Context(), store, callPrefix, "run1", out, append([]*Ref{good}, c.refs...), 0)
			wantError(t, err, c.words...)
			if left := keys(t, store); len(left) > 0 {
				t.Errorf("the store holds %q", left)
			}
		})
	}
	_, err := f.Publish(t.Context(), store, callPrefix, "run1", out, []*Ref{File(filepath.Join(out, "gone"))}, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not say that the file is not there", err)
	}
}

// A file that somebody still writes to is no result.
func TestChangedDuringPublish(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f, out := newFiles(t), t.TempDir()
			path := write(t, filepath.Join(out, "a"), pattern(3<<20))
			f.hashes.Moment = func(moment, path string) {
				if moment == filehash.Copied {
					write(t, path, "something else")
				}
			}
			for _, r := range []*Ref{File(path), FileAt(path, "file://"+filepath.Join(t.TempDir(), "a"))} {
				_, err := f.Publish(t.Context(), store, callPrefix, "run1", out, []*Ref{r}, 0)
				if !errors.Is(err, ErrChanged) {
					t.Errorf("%v is not ErrChanged", err)
				}
				write(t, path, pattern(3<<20))
			}
			if left := keys(t, store); len(left) > 0 {
				t.Errorf("the store holds %q", left)
			}
		})
	}
}

// The out folder may be reached by a link, as /tmp is on a Mac.
func TestLinkedOutDir(t *testing.T) {
	f, store, out := newFiles(t), localStore(t), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(out, link); err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(out, "sub", "a"), "content")
	r := asResult(t, f, store, link, File(path))
	if want := store.URI(callPrefix + "/out/run1/sub/a"); r.URI() != want {
		t.Errorf("went to %s, want %s", r.URI(), want)
	}
	outside := asResult(t, f, store, filepath.Join(out, "sub"), File(filepath.Join(out, "sub", "..", "b", "..", "sub2", "..", "..", filepath.Base(out), "sub", "a")))
	if want := store.URI(callPrefix + "/out/run1/a"); outside.URI() != want {
		t.Errorf("went to %s, want %s", outside.URI(), want)
	}
}

// The file was written to its explicit place already.
func TestFileAtItself(t *testing.T) {
	f, store := newFiles(t), localStore(t)
	path := tempFile(t, "content")
	if got := asResult(t, f, store, t.TempDir(), FileAt(path, "file://"+path)); read(t, got) != "content" || got.URI() != "file://"+path {
		t.Errorf("read %q from %s", read(t, got), got.URI())
	}
	if left := keys(t, store); len(left) > 0 {
		t.Errorf("the store holds %q", left)
	}
}

// An empty out folder does not mean the current one.
func TestNoOutDir(t *testing.T) {
	f, store := newFiles(t), localStore(t)
	t.Chdir(t.TempDir())
	r := File(write(t, "a", "content"))
	if got := asResult(t, f, store, "", r); got.URI() != store.URI(BlobKey(r.Hash())) {
		t.Errorf("went to %s", got.URI())
	}
}
