package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/fileblob"
)

// smallDisk is a file system of 2 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small file system to fill")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skip("no small file system to fill: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullStore(t *testing.T) {
	store, err := fileblob.Open(filepath.Join(smallDisk(t), "root"))
	if err != nil {
		t.Fatal(err)
	}
	for _, age := range []string{"fresh", "settled"} {
		f, out := newFiles(t), t.TempDir()
		if age == "settled" {
			settled(f)
		}
		big := File(write(t, filepath.Join(out, "big"), pattern(3<<20)))
		if err := f.Resolve(t.Context(), []*Ref{big}); err != nil {
			t.Fatal(err)
		}
		_, uploadErr := f.Upload(t.Context(), store, []*Ref{big}, 0)
		_, publishErr := f.Publish(t.Context(), store, callPrefix, "run1", out, []*Ref{big}, 0)
		for _, err := range []error{uploadErr, publishErr} {
			if !errors.Is(err, syscall.ENOSPC) || !blob.Is(err, blob.Unavailable) {
				t.Errorf("%s: %v does not say that the disk is full", age, err)
			}
		}
		if left := keys(t, store); len(left) > 0 {
			t.Errorf("%s: the store holds %q", age, left)
		}
		if got := read(t, asArgument(t, f, store, File(tempFile(t, pattern(1<<20))))); got != pattern(1<<20) {
			t.Errorf("%s: what fits: read %d bytes", age, len(got))
		}
		if err := store.Delete(t.Context(), keys(t, store)[0]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullCache(t *testing.T) {
	cache := smallDisk(t)
	f, store := newFilesWith(t, Options{CacheDir: cache}), remoteStore(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "big"), pattern(3<<20))
	for _, r := range []*Ref{asArgument(t, f, store, File(filepath.Join(dir, "big"))), asArgument(t, f, store, Dir(dir))} {
		_, err := r.Path(t.Context())
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v does not say that the disk is full", err)
		}
		wantError(t, err, "make room")
	}
	if left, _ := os.ReadDir(filepath.Join(cache, "tmp")); len(left) > 0 {
		t.Errorf("left in the cache: %v", left)
	}
	if got := read(t, asArgument(t, f, store, File(tempFile(t, pattern(1<<20))))); got != pattern(1<<20) {
		t.Errorf("what fits: read %d bytes", len(got))
	}
}

func TestCacheWithoutInodes(t *testing.T) {
	cache := smallDisk(t)
	f, store := newFilesWith(t, Options{CacheDir: cache}), remoteStore(t)
	r := asArgument(t, f, store, File(tempFile(t, pattern(1<<10))))
	if err := syscall.Mount("", cache, "", syscall.MS_REMOUNT, "nr_inodes=2"); err != nil {
		t.Skip("no file system with few inodes: ", err)
	}
	_, err := r.Path(t.Context())
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v does not say that the disk is full", err)
	}
	wantError(t, err, "no inodes")
}

// A plain file that a user named is written once the full disk has room again.
func TestFullDiskOfAPlainFile(t *testing.T) {
	disk, f, store, out := smallDisk(t), newFiles(t), remoteStore(t), t.TempDir()
	to, fill := filepath.Join(disk, "there"), filepath.Join(disk, "fill")
	for err := error(nil); err == nil; {
		var file *os.File
		if file, err = os.OpenFile(fill, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err == nil {
			_, err = file.Write(make([]byte, 64<<10))
			file.Close()
		}
	}
	publish := func(ctx context.Context) error {
		_, err := f.Publish(ctx, store, callPrefix, "run1", out, []*Ref{FileAt(write(t, filepath.Join(out, "made"), pattern(1<<20)), "file://"+to)}, 0)
		return err
	}
	if err := publish(t.Context()); !errors.Is(err, syscall.ENOSPC) || !blob.Is(err, blob.Unavailable) {
		t.Errorf("%v does not say that the disk is full", err)
	}
	time.AfterFunc(2*time.Second, func() { os.Remove(fill) })
	if err := publish(blob.Patient(t.Context(), blob.Patience{Since: time.Now(), Made: true})); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != pattern(1<<20) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
}
