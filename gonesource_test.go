package mops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// anew makes an environment, and a context of it, that knows nothing of others.
type anew func(options ...mops.EnvOption) context.Context

// wherever runs a test with a store on this machine and one elsewhere, with
// functions in this process and in subprocesses.
func wherever(t *testing.T, check func(t *testing.T, store *blob.Store, env anew)) {
	for _, place := range []string{"here", "elsewhere"} {
		for _, runs := range []string{"in process", "in subprocesses"} {
			t.Run(place+" "+runs, func(t *testing.T) {
				silence(t)
				store := blob.New("mem://served", memblob.New())
				root := "file://" + t.TempDir()
				if place == "elsewhere" {
					root = blobtest.Serve(t, store)
				} else {
					store = must(blob.Open(t.Context(), root))
				}
				check(t, store, func(options ...mops.EnvOption) context.Context {
					options = append([]mops.EnvOption{mops.Root(root), mops.CacheDir(t.TempDir())}, options...)
					if runs == "in subprocesses" {
						options = append(options, mops.On(subprocess.New()))
					}
					_, ctx := newEnv(t, options...)
					return ctx
				})
			})
		}
	}
}

// expire removes all files that a store holds, as its lifecycle rules would.
func expire(t *testing.T, store *blob.Store) {
	t.Helper()
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info.Key, "/out/") || strings.HasPrefix(info.Key, "mops1-blobs/") {
			if err := store.Delete(t.Context(), info.Key); err != nil {
				t.Error(err)
			}
		}
	}
}

// A hit whose files are gone is a hit. Using the files in any way fails with an
// error that says which are gone and what to do, and that helps.
func TestReturnedFilesThatAreGone(t *testing.T) {
	wherever(t, func(t *testing.T, store *blob.Store, env anew) {
		words := append([]string{t.Name()}, sixWords[1:]...)
		must(scatter.Call(env(), words))
		lists := must(relist.Call(env(), mops.Dir(folder(t, map[string]string{t.Name(): ""}))))
		expire(t, store)

		ctx := env()
		out, info, err := scatter.Do(ctx, words)
		if err != nil || info.Outcome != mops.Hit {
			t.Fatalf("%+v, %v", info, err)
		}
		_, errOpen := out.One.Open(ctx)
		_, errPath := out.One.Path(ctx)
		_, errRange := out.One.OpenRange(ctx, 1, 2)
		_, errFolder := lists[0].Path(ctx)
		_, errPassed := concat.Call(ctx, out)
		_, errPassedFolder := relist.Call(ctx, lists[0])
		for what, err := range map[string]error{
			"Open": errOpen, "Path": errPath, "OpenRange": errRange, "the path of a folder": errFolder,
			"passing it on": errPassed, "passing a folder on": errPassedFolder,
		} {
			if !blob.Is(err, blob.NotFound) {
				t.Errorf("%s: %v", what, err)
				continue
			}
			mentions(t, err, "the stored bytes are gone", "mops.Refresh")
		}
		mentions(t, errOpen, out.One.URI())
		mentions(t, errPassed, "test/concat", "/out/"+info.Run+"/", "test/scatter@0/")

		out = must(scatter.With(mops.Refresh()).Call(ctx, words))
		if text, err := concat.Call(ctx, out); err != nil || text != strings.Join(words, " ") {
			t.Errorf("after a refresh: %q, %v", text, err)
		}
		out = must(scatter.Call(env(), words)) // a hit
		if text, err := content(ctx, out.One); err != nil || text != t.Name() {
			t.Errorf("later: %q, %v", text, err)
		}
	})
}

// A refresh, by computing or by injecting, stores the returned files again,
// even if this process stored them a moment ago and has missed nothing.
func TestReturnedFolderThatIsGone(t *testing.T) {
	store := blob.New("mem://served", memblob.New())
	root := blobtest.Serve(t, store)
	dir := folder(t, map[string]string{"name": t.Name()})
	list := mops.Define("list", func(context.Context, int) (mops.Source, error) { return mops.Dir(dir), nil }, private())
	for what, refresh := range map[string]func(ctx context.Context) error{
		"refresh": func(ctx context.Context) error { _, err := list.With(mops.Refresh()).Call(ctx, 1); return err },
		"inject":  func(ctx context.Context) error { return list.With(mops.Refresh()).Inject(ctx, 1, mops.Dir(dir)) },
	} {
		_, ctx := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
		must(list.With(mops.Refresh()).Call(ctx, 2))
		expire(t, store)
		if err := refresh(ctx); err != nil {
			t.Fatal(err)
		}
		_, later := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
		if _, err := must(list.Call(later, 1)).Path(later); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An input that was stored, and then removed, is stored again for a caller that
// misses it, at the next call or with a refresh at the latest, though this
// process remembers that it stored it a moment ago.
func TestInputsThatAreGone(t *testing.T) {
	wherever(t, func(t *testing.T, store *blob.Store, env anew) {
		ctx, n := env(), 0
		stored := func(s mops.Source) mops.Source { // and removed, and not read by anybody
			t.Helper()
			must(pass.Call(ctx, s))
			expire(t, store)
			return s
		}
		newFile := func() mops.Source { n++; return mops.File(file(t, "x.txt", fmt.Sprint(t.Name(), n))) }
		newFolder := func() mops.Source {
			n++
			return mops.Dir(folder(t, map[string]string{"x.txt": fmt.Sprint(t.Name(), n), "y": t.Name()}))
		}
		works := func(text string, err error) {
			t.Helper()
			if want := fmt.Sprint(t.Name(), n); err != nil || text != want {
				t.Errorf("%q, %v, want %q", text, err, want)
			}
		}

		s := stored(newFile())
		_, err := content(ctx, must(pass.Call(ctx, s)))
		mentions(t, err, "the stored bytes are gone", "mops.Refresh")
		works(content(ctx, must(pass.With(mops.Refresh()).Call(ctx, s))))

		s = stored(newFile())
		_, err = readAll.Call(ctx, s)
		mentions(t, err, "the stored bytes are gone", "mops.Refresh")
		works(readAll.Call(ctx, s))

		s = stored(newFolder())
		_, err = readFolder.Call(ctx, s)
		mentions(t, err, "the stored bytes are gone", "mops.Refresh")
		works(readFolder.Call(ctx, s))

		s = stored(newFile())
		if _, err := taciturn.Call(ctx, s); err == nil {
			t.Error("it read what is not there")
		}
		works(taciturn.With(mops.Refresh()).Call(ctx, s))

		works(readAll.With(mops.Retries(1)).Call(ctx, stored(newFile())))
	})
}

var (
	readAll = mops.Define("test/readall", readPart)

	readFolder = mops.Define("test/readfolder", func(ctx context.Context, s mops.Source) (string, error) {
		dir, err := s.Path(ctx)
		if err != nil {
			return "", err
		}
		return content(ctx, mops.File(filepath.Join(dir, "x.txt")))
	})
	// taciturn does not report the error that it met.
	taciturn = mops.Define("test/taciturn", func(ctx context.Context, s mops.Source) (string, error) {
		text, err := readPart(ctx, s)
		if err != nil {
			err = errors.New("no luck")
		}
		return text, err
	})
)

func readPart(ctx context.Context, s mops.Source) (string, error) {
	part, err := s.OpenRange(ctx, 0, 1000)
	if err != nil {
		return "", err
	}
	defer part.Close()
	data, err := io.ReadAll(part)
	return string(data), err
}
