package mops_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
)

// put writes a blob without going through mops.
func put(t *testing.T, root, key, text string) {
	t.Helper()
	store, err := blob.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.PutBytes(t.Context(), key, []byte(text), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestASourceThatIsNotThere(t *testing.T) {
	ctx, _ := onDisk(t)
	absent := filepath.Join(t.TempDir(), "absent.csv")
	for _, s := range []mops.Source{mops.File(absent), mops.Dir(absent), mops.At("file://" + absent)} {
		_, err := pass.Call(ctx, s)
		mentions(t, err, "test/pass: its input", absent)
		if !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
	_, err := pass.Call(ctx, mops.At("mem://elsewhere/absent.csv"))
	mentions(t, err, "mem://elsewhere/absent.csv", "check the URI")
	_, err = pass.Call(ctx, mops.File(""))
	mentions(t, err, "path is empty")
	_, err = pass.Call(ctx, mops.File(t.TempDir()))
	mentions(t, err, "Dir")
	_, err = pass.Call(ctx, mops.Dir(file(t, "x", "")))
	mentions(t, err, "File")
	_, err = pass.Call(ctx, mops.At("nothing at all"))
	mentions(t, err, "nothing at all")
}

// A call of a file that changes or vanishes after it was hashed must not be
// kept under the old hash.
func TestASourceThatChangesBetweenHashAndUpload(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"changes":  func(path string) error { return os.WriteFile(path, []byte("other"), 0o600) },
		"vanishes": os.Remove,
		"shrinks":  func(path string) error { return os.Truncate(path, 1) },
	} {
		ctx, root := onDisk(t, mops.KeepRun(false))
		path := file(t, "x.txt", "first")
		// The call is hashed when it starts, and waits: the only slot is taken.
		f, begun, goOn, _ := gated()
		slow := onlySlot(t)
		call, err := f.With(slow).Start(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		second, err := pass.With(slow).Start(ctx, mops.File(path))
		if err != nil {
			t.Fatal(err)
		}
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		close(goOn)
		must(call.Wait(ctx))
		_, err = second.Wait(ctx)
		if err == nil {
			t.Errorf("%s: the call was made", name)
			continue
		}
		mentions(t, err, path, "test/pass", "file://")
		for _, entry := range listing(t, root) {
			if strings.Contains(entry, "mops1-blobs") || strings.Contains(entry, "/result\n") && strings.Contains(entry, "test/pass") {
				t.Errorf("%s: the store has %q", name, entry)
			}
		}
	}
}

func TestAReturnedFileThatIsGone(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		_, info, err := vanishing.Do(ctx, "x")
		if e, ok := errors.AsType[*mops.FuncError](err); !ok || e.Function != "test/vanishing" {
			t.Fatalf("%T: %v", err, err)
		}
		mentions(t, err, "gone.txt", "must still be there", info.URI)
	})
}

var vanishing = mops.Define("test/vanishing", func(ctx context.Context, _ string) (mops.Source, error) {
	dir, err := mops.OutDir(ctx)
	return mops.File(filepath.Join(dir, "gone.txt")), err
})

func TestTwoReturnedFilesOfOneName(t *testing.T) {
	ctx, root := onDisk(t, mops.KeepRun(false))
	to := "file://" + filepath.Join(t.TempDir(), "to.txt")
	f := mops.Define("f", func(ctx context.Context, _ int) ([]mops.Source, error) {
		dir, err := mops.OutDir(ctx)
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		return []mops.Source{mops.FileAt(a, to), mops.FileAt(b, to)},
			errors.Join(err, os.WriteFile(a, []byte("A"), 0o600), os.WriteFile(b, []byte("B"), 0o600))
	}, private())
	_, err := f.Call(ctx, 1)
	mentions(t, err, "both go to", "to.txt", "nothing was stored")
	for _, entry := range listing(t, root) {
		if strings.Contains(entry, "/out/") {
			t.Errorf("the store has %q", entry)
		}
	}
}

// onlySlot is an executor in this process with one slot.
func onlySlot(t *testing.T) mops.Option {
	t.Helper()
	return mops.On(inproc.New(inproc.Limit(1)))
}
