package mops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// bundle has sources wherever they may stand.
type bundle struct {
	One    mops.Source
	Some   []mops.Source
	Named  map[string]mops.Source
	Nested struct{ Inner *pair[string, mops.Source] }
	None   mops.Source
}

func (b bundle) all() []mops.Source {
	all := append([]mops.Source{b.One}, b.Some...)
	for _, name := range []string{"a", "b"} {
		if s, ok := b.Named[name]; ok {
			all = append(all, s)
		}
	}
	if b.Nested.Inner != nil {
		all = append(all, b.Nested.Inner.Second)
	}
	return all
}

// content reads a file.
func content(ctx context.Context, s mops.Source) (string, error) {
	file, err := s.Open(ctx)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	return string(data), err
}

// concat reads all files of its input.
var concat = mops.Define("test/concat", func(ctx context.Context, in bundle) (string, error) {
	if !in.None.IsZero() {
		return "", errors.New("a zero source came as another")
	}
	var parts []string
	for _, s := range in.all() {
		text, err := content(ctx, s)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " "), nil
})

// scatter writes a file for each word, in all places that an output has.
var scatter = mops.Define("test/scatter", func(ctx context.Context, words []string) (out bundle, err error) {
	dir, err := mops.OutDir(ctx)
	if err != nil {
		return out, err
	}
	var files []mops.Source
	for i, word := range words {
		path := filepath.Join(dir, fmt.Sprintf("%d", i), "word.txt")
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(word), 0o600)); err != nil {
			return out, err
		}
		files = append(files, mops.File(path))
	}
	out.One, out.Some = files[0], files[1:3]
	out.Named = map[string]mops.Source{"a": files[3], "b": files[4]}
	out.Nested.Inner = &pair[string, mops.Source]{"inner", files[5]}
	return out, nil
})

var sixWords = []string{"zero", "one", "two", "three", "four", "five"}

// everywhere runs a test in process and in subprocesses.
func everywhere(t *testing.T, check func(t *testing.T, ctx context.Context, root string)) {
	t.Run("in process", func(t *testing.T) {
		ctx, root := onDisk(t)
		check(t, ctx, root)
	})
	t.Run("subprocess", func(t *testing.T) {
		ctx, root := inSubprocesses(t)
		check(t, ctx, root)
	})
}

// file writes a file for a test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSourcesInAndOutWhereverTheyStand(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		for _, outcome := range []mops.Outcome{mops.Computed, mops.Hit} {
			out, info, err := scatter.Do(ctx, sixWords)
			if err != nil || info.Outcome != outcome {
				t.Fatalf("%+v, %v", info, err)
			}
			if len(out.all()) != 6 || !out.None.IsZero() || out.Nested.Inner.First != "inner" {
				t.Fatalf("%+v", out)
			}
			for i, s := range out.all() { // the folder in which they were written is gone
				if text, err := content(ctx, s); err != nil || text != sixWords[i] {
					t.Errorf("%d: %q, %v", i, text, err)
				}
				if !strings.HasPrefix(s.URI(), info.URI+"/out/"+info.Run+"/") || s.Size() != int64(len(sixWords[i])) || len(s.Hash()) != 64 {
					t.Errorf("%d: %s, %d bytes, %s", i, s.URI(), s.Size(), s.Hash())
				}
			}
			// The result of a call is an argument of the next.
			text, second, err := concat.Do(ctx, out)
			if err != nil || text != strings.Join(sixWords, " ") || second.Outcome != outcome {
				t.Errorf("%q, %+v, %v", text, second, err)
			}
		}
	})
}

func TestASourceIsKnownByItsContent(t *testing.T) {
	ctx, root := onDisk(t)
	a, b := file(t, "a.txt", "same"), file(t, "b.txt", "same")
	one := uriOf(t, ctx, concat, bundle{One: mops.File(a)})
	if uriOf(t, ctx, concat, bundle{One: mops.File(b)}) != one || uriOf(t, ctx, concat, bundle{One: mops.At("file://" + a)}) != one {
		t.Error("a file of the same content has another key")
	}
	if uriOf(t, ctx, concat, bundle{One: mops.File(file(t, "a.txt", "else"))}) == one {
		t.Error("a file of other content has the same key")
	}
	blobs := must(filepath.Glob(filepath.Join(strings.TrimPrefix(root, "file://"), "mops1-blobs", "sha256", "*")))
	if len(blobs) != 2 {
		t.Errorf("two contents are kept as %d: %q", len(blobs), blobs)
	}
}

func TestTheUsersFileStaysHis(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		path := file(t, "in.txt", "before")
		passed, err := pass.Call(ctx, mops.File(path))
		if err != nil {
			t.Fatal(err)
		}
		handle, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := handle.WriteString("after!"); err != nil { // in place, through a file that might be a link
			t.Fatal(err)
		}
		handle.Close()
		if text, err := content(ctx, passed); err != nil || text != "before" {
			t.Errorf("the stored input is %q now, %v", text, err)
		}
		again, info, err := pass.Do(ctx, mops.File(path))
		if err != nil || info.Outcome != mops.Computed {
			t.Errorf("the changed file: %+v, %v", info, err)
		}
		if text, err := content(ctx, again); err != nil || text != "after!" {
			t.Errorf("%q, %v", text, err)
		}
		os.Remove(path)
		if text, err := content(ctx, again); err != nil || text != "after!" {
			t.Errorf("after the file is gone: %q, %v", text, err)
		}
	})
}

// pass returns the source that it was given.
var pass = mops.Define("test/pass", func(_ context.Context, s mops.Source) (mops.Source, error) { return s, nil })

func TestFilesOutsideOfOutDirAreKept(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		out, err := outsider.Call(ctx, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if text, err := content(ctx, out); err != nil || text != "word" {
			t.Errorf("%q, %v", text, err)
		}
		if !strings.Contains(out.URI(), "/mops1-blobs/sha256/") {
			t.Errorf("it is kept at %s", out.URI())
		}
	})
}

// outsider writes into a folder that is not its out folder.
var outsider = mops.Define("test/outsider", func(_ context.Context, dir string) (mops.Source, error) {
	path := filepath.Join(dir, "word.txt")
	return mops.File(path), os.WriteFile(path, []byte("word"), 0o600)
})

func TestAFileInTheCurrentFolderIsNotTakenForOneOfOutDir(t *testing.T) {
	ctx, _ := onDisk(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("word.txt", []byte("word"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := mops.Define("f", func(context.Context, int) (mops.Source, error) { return mops.File("word.txt"), nil }, private())
	out, err := f.Call(ctx, 1)
	if err != nil || strings.Contains(out.URI(), "/out/") {
		t.Errorf("%s, %v", out.URI(), err)
	}
}

// deliver writes to an explicit place.
var deliver = mops.Define("test/deliver", func(ctx context.Context, to string) (mops.Source, error) {
	dir, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	path := filepath.Join(dir, "report.txt")
	return mops.FileAt(path, to), os.WriteFile(path, []byte("the report"), 0o600)
})

func TestAFileIsDeliveredToAnExplicitPlace(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		to := filepath.Join(t.TempDir(), "reports", "today.txt")
		out, err := deliver.Call(ctx, "file://"+to)
		if err != nil || out.URI() != "file://"+to {
			t.Fatalf("%s, %v", out.URI(), err)
		}
		if text := string(must(os.ReadFile(to))); text != "the report" {
			t.Errorf("%q", text)
		}
		again, info, err := deliver.Do(ctx, "file://"+to)
		if err != nil || info.Outcome != mops.Hit {
			t.Fatalf("%+v, %v", info, err)
		}
		if text, err := content(ctx, again); err != nil || text != "the report" {
			t.Errorf("%q, %v", text, err)
		}
		// It is the user's file: his changes to it are noticed.
		if err := os.WriteFile(to, []byte("tampered"), 0o600); err != nil {
			t.Fatal(err)
		}
		again = must(deliver.Call(ctx, "file://"+to))
		if text, err := content(ctx, again); err == nil {
			t.Errorf("a changed file was read as the result: %q", text)
		} else {
			mentions(t, err, to)
		}
	})
}

// folder is a folder of files for a test.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// relist returns a folder with the list of the files in a folder, and that folder.
var relist = mops.Define("test/relist", func(ctx context.Context, in mops.Source) (out []mops.Source, err error) {
	dir, err := in.Path(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	to, err := mops.OutDir(ctx)
	if err != nil {
		return nil, err
	}
	lists := filepath.Join(to, "lists")
	err = errors.Join(os.Mkdir(lists, 0o700), os.WriteFile(filepath.Join(lists, "names.txt"), []byte(strings.Join(names, "\n")), 0o600))
	return []mops.Source{mops.Dir(lists), in}, err
})

func TestFoldersGoInAndOut(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		files := map[string]string{"a.txt": "A", "deep/er/b.txt": "B", "empty": ""}
		in := folder(t, files)
		for _, outcome := range []mops.Outcome{mops.Computed, mops.Hit} {
			out, info, err := relist.Do(ctx, mops.Dir(in))
			if err != nil || info.Outcome != outcome {
				t.Fatalf("%+v, %v", info, err)
			}
			dir, err := out[0].Path(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(must(os.ReadFile(filepath.Join(dir, "names.txt")))); got != "a.txt\ndeep/er/b.txt\nempty" {
				t.Errorf("%q", got)
			}
			same, err := out[1].Path(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range files {
				if got := string(must(os.ReadFile(filepath.Join(same, name)))); got != text {
					t.Errorf("%s is %q", name, got)
				}
			}
			if _, err := out[0].Open(ctx); err == nil {
				t.Error("a folder was opened as a file")
			}
		}
		one := uriOf(t, ctx, relist, mops.Dir(in))
		if uriOf(t, ctx, relist, mops.Dir(folder(t, files))) != one {
			t.Error("an equal folder has another key")
		}
		files["a.txt"] = "changed"
		if uriOf(t, ctx, relist, mops.Dir(folder(t, files))) == one {
			t.Error("a changed folder has the same key")
		}
	})
}

func TestSourcesWithoutAStore(t *testing.T) {
	for name, option := range map[string]mops.Option{"off": mops.Off(), "read-only": mops.ReadOnly()} {
		ctx, root := onDisk(t, option)
		out, err := scatter.Call(ctx, sixWords)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text, err := concat.Call(ctx, out); err != nil || text != strings.Join(sixWords, " ") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		passed, err := pass.Call(ctx, mops.File(file(t, "x", "text")))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text, err := content(ctx, passed); err != nil || text != "text" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		lists, err := relist.Call(ctx, mops.Dir(folder(t, map[string]string{"n": ""})))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if dir, err := lists[0].Path(ctx); err != nil || string(must(os.ReadFile(filepath.Join(dir, "names.txt")))) != "n" {
			t.Errorf("%s: %v", name, err)
		}
		if files := listing(t, root); len(files) != 0 {
			t.Errorf("%s: the store has %q", name, files)
		}
	}
}

func TestASourceIsReadOutsideOfCalls(t *testing.T) {
	ctx := mopstest.Context(t)
	path := file(t, "x.txt", "0123456789")
	for _, s := range []mops.Source{mops.File(path), mops.At("file://" + path)} {
		if text, err := content(ctx, s); err != nil || text != "0123456789" {
			t.Errorf("%q, %v", text, err)
		}
		part, err := s.OpenRange(ctx, 3, 4)
		if err != nil {
			t.Fatal(err)
		}
		if data := must(io.ReadAll(part)); string(data) != "3456" {
			t.Errorf("%q", data)
		}
		part.Close()
	}
	// A blob elsewhere, which needs an environment to be read.
	remote := mops.At("mem://elsewhere/x.txt")
	put(t, "mem://elsewhere", "x.txt", "remote")
	if text, err := content(ctx, remote); err != nil || text != "remote" {
		t.Errorf("%q, %v", text, err)
	}
	if path, err := mops.At("mem://elsewhere/x.txt").Path(ctx); err != nil || string(must(os.ReadFile(path))) != "remote" {
		t.Errorf("%v", err)
	}
	if _, err := content(context.Background(), mops.At("mem://elsewhere/x.txt")); err == nil {
		t.Error("it was read without an environment")
	}
}

func TestAZeroSourceHasNoContent(t *testing.T) {
	var none mops.Source
	ctx := mopstest.Context(t)
	_, err := none.Open(ctx)
	mentions(t, err, "zero Source", "File, Dir, Bytes or At")
	_, err = none.Path(ctx)
	mentions(t, err, "zero Source")
	_, err = none.OpenRange(ctx, 0, 1)
	mentions(t, err, "zero Source")
	if !none.IsZero() || none.Hash() != "" || none.Size() != -1 || none.URI() != "" || none.String() == "" {
		t.Errorf("%v", none)
	}
}
