package source

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
)

const callPrefix = "mops1/p/f@0/call"

// newFiles is one environment, with folders of its own.
func newFiles(t testing.TB) *Files {
	t.Helper()
	return newFilesWith(t, Options{CacheDir: filepath.Join(t.TempDir(), "cache"), CacheSize: 1 << 30, StateDir: filepath.Join(t.TempDir(), "state")})
}

func newFilesWith(t testing.TB, opts Options) *Files {
	t.Helper()
	f, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// stores are one on files of this machine and one that is elsewhere, for all
// that sources know.
func stores(t *testing.T) map[string]*blob.Store {
	return map[string]*blob.Store{"local": localStore(t), "remote": remoteStore(t)}
}

func localStore(t testing.TB) *blob.Store {
	t.Helper()
	s, err := fileblob.Open(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func remoteStore(t testing.TB) *blob.Store {
	t.Helper()
	uri := "mem://" + strings.ReplaceAll(t.Name(), "/", "-")
	s, err := blob.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memblob.Forget(uri) })
	return s
}

// write makes a file, with the folders above it.
func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func tempFile(t testing.TB, content string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "file"), content)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// asArgument takes a source through a call: hashed, stored, decoded, bound.
func asArgument(t testing.TB, f *Files, store *blob.Store, r *Ref) *Ref {
	t.Helper()
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	locations := must(f.Upload(t.Context(), store, []*Ref{r}, 0))(t)
	return bound(t, f, store, r, locations)
}

// asResult takes a source through a return: stored, decoded, bound.
func asResult(t testing.TB, f *Files, store *blob.Store, outDir string, r *Ref) *Ref {
	t.Helper()
	locations := must(f.Publish(t.Context(), store, callPrefix, "run1", outDir, []*Ref{r}, 0))(t)
	return bound(t, f, store, r, locations)
}

func bound(t testing.TB, f *Files, store *blob.Store, r *Ref, locations []Location) *Ref {
	t.Helper()
	decoded := must(Decode(must(r.MarshalCBOR())(t)))(t)
	if err := f.Bind(store, callPrefix, []*Ref{decoded}, locations); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func read(t testing.TB, r *Ref) string {
	t.Helper()
	file := must(r.Open(t.Context()))(t)
	defer file.Close()
	return string(must(io.ReadAll(file))(t))
}

func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not mention %q", err, word)
		}
	}
}

// keys lists the blobs in a store.
func keys(t testing.TB, store *blob.Store) (all []string) {
	t.Helper()
	for info, err := range store.List(context.Background(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}

// settled makes f live an hour from now, when no file is too young to be known
// by its stamp, and on a file system whose stamps tell all.
func settled(f *Files) *Files {
	f.hashes.Settle = func(context.Context, *os.File) bool { return true }
	f.now = func() time.Time { return time.Now().Add(time.Hour) }
	return f
}

// fresh makes f live at this very moment for ever, when every file that is written
// from now on is too young to be known by its stamp, however long that takes.
func fresh(f *Files) *Files {
	now := time.Now()
	f.now = func() time.Time { return now }
	return f
}

// tick waits until a write gets another time than the file has, which is on the same
// file system. Some kernels date all writes within 10 ms alike.
func tick(t *testing.T, path string) {
	t.Helper()
	written := func() time.Time { return must(os.Stat(write(t, path+".tick", "")))(t).ModTime() }
	for before := written(); !written().After(before); { // no sooner than the file's
	}
}

func pattern(size int) string {
	return string(bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size])
}
