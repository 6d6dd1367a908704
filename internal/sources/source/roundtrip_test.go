package source

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

func TestArgument(t *testing.T) {
	for name, store := range stores(t) {
		for _, content := range []string{"", "hello", pattern(3<<20 + 17)} {
			t.Run(name, func(t *testing.T) {
				f := newFiles(t)
				r := asArgument(t, f, store, File(tempFile(t, content)))
				if got := read(t, r); got != content {
					t.Errorf("read %d bytes, want %d", len(got), len(content))
				}
				if got := string(must(os.ReadFile(must(r.Path(t.Context()))(t)))(t)); got != content {
					t.Errorf("Path holds %d bytes, want %d", len(got), len(content))
				}
				if r.Size() != int64(len(content)) {
					t.Errorf("Size %d, want %d", r.Size(), len(content))
				}
				if want := store.URI(BlobKey(r.Hash())); r.URI() != want {
					t.Errorf("URI %s, want %s", r.URI(), want)
				}
			})
		}
	}
}

func TestResult(t *testing.T) {
	for name, store := range stores(t) {
		for _, content := range []string{"", "hello", pattern(3<<20 + 17)} {
			t.Run(name, func(t *testing.T) {
				f, out := newFiles(t), t.TempDir()
				r := asResult(t, f, store, out, File(write(t, filepath.Join(out, "sub", "data.csv"), content)))
				if got := read(t, r); got != content {
					t.Errorf("read %d bytes, want %d", len(got), len(content))
				}
				if want := store.URI(callPrefix + "/out/run1/sub/data.csv"); r.URI() != want {
					t.Errorf("URI %s, want %s", r.URI(), want)
				}
			})
		}
	}
}

// The result of one function may be an argument of the next, without a copy.
func TestResultAsArgument(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f, out := newFiles(t), t.TempDir()
			result := asResult(t, f, store, out, File(write(t, filepath.Join(out, "a"), "content")))
			before := keys(t, store)
			argument := asArgument(t, f, store, result)
			if got := read(t, argument); got != "content" {
				t.Errorf("read %q", got)
			}
			again := asResult(t, f, store, out, argument)
			if got := read(t, again); got != "content" {
				t.Errorf("read %q", got)
			}
			if after := keys(t, store); len(after) != len(before) {
				t.Errorf("copies were made: %q, before %q", after, before)
			}
		})
	}
}

// A record of one root, used with another: the bytes come along.
func TestResultToOtherStore(t *testing.T) {
	local, remote := localStore(t), remoteStore(t)
	for name, pair := range map[string][2]*blob.Store{"up": {local, remote}, "down": {remote, local}} {
		t.Run(name, func(t *testing.T) {
			from, to := pair[0], pair[1]
			f, out := newFiles(t), t.TempDir()
			dir := filepath.Join(out, "folder")
			write(t, filepath.Join(dir, "x", "a"), "content of a "+name)
			file := asResult(t, f, from, out, File(write(t, filepath.Join(out, "a"), pattern(1<<20)+name)))
			folder := asResult(t, f, from, out, Dir(dir))
			moved := asArgument(t, f, to, file)
			if got := read(t, moved); got != pattern(1<<20)+name || !strings.HasPrefix(moved.URI(), to.Root()) {
				t.Errorf("read %d bytes from %s", len(got), moved.URI())
			}
			path := must(asArgument(t, f, to, folder).Path(t.Context()))(t)
			if got := string(must(os.ReadFile(filepath.Join(path, "x", "a")))(t)); got != "content of a "+name {
				t.Errorf("read %q", got)
			}
		})
	}
}

func TestOpenRange(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f := newFilesWith(t, Options{}) // no cache: ranges need none
			r := asArgument(t, f, store, File(tempFile(t, "0123456789")))
			for _, c := range []struct {
				off, n int64
				want   string
			}{{0, 3, "012"}, {4, 2, "45"}, {8, 100, "89"}, {7, -1, "789"}, {20, 5, ""}} {
				body := must(r.OpenRange(t.Context(), c.off, c.n))(t)
				if got := string(must(io.ReadAll(body))(t)); got != c.want {
					t.Errorf("range %d, %d: %q, want %q", c.off, c.n, got, c.want)
				}
				body.Close()
			}
			if _, err := r.OpenRange(t.Context(), -1, 5); err == nil {
				t.Error("a negative start was accepted")
			}
		})
	}
}

// The reader of a record may have mounted the root elsewhere.
func TestMovedRoot(t *testing.T) {
	f, out := newFiles(t), t.TempDir()
	old := localStore(t)
	r := File(write(t, filepath.Join(out, "a"), "content"))
	in := File(tempFile(t, "elsewhere"))
	locations := must(f.Publish(t.Context(), old, callPrefix, "run1", out, []*Ref{r, in}, 0))(t)
	moved := localStore(t)
	if err := os.Rename(strings.TrimPrefix(old.Root(), "file://"), strings.TrimPrefix(moved.Root(), "file://")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, bound(t, f, moved, r, locations)); got != "content" {
		t.Errorf("read %q", got)
	}
	if got := read(t, bound(t, f, moved, in, locations)); got != "elsewhere" {
		t.Errorf("read %q", got)
	}
}
