package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// tight is an environment with a bounded cache and a clock of its own, which
// goes on by the hour. Its cache is swept when the test says so, and not besides.
func tight(t *testing.T, cache string, size int64) (f *Files, hours *atomic.Int64) {
	t.Helper()
	f = newFilesWith(t, Options{CacheDir: cache, CacheSize: size})
	f.cache.Close()
	hours = new(atomic.Int64)
	f.now = func() time.Time { return time.Now().Add(time.Duration(hours.Load()) * time.Hour) }
	return f, hours
}

// there reports whether the cache has a source.
func there(f *Files, r *Ref) bool {
	path := f.cachePath(r.Hash())
	if id, _ := r.Identity(); id.Kind == KindDir {
		path = f.treePath(r.Hash())
	}
	_, err := os.Stat(path)
	return err == nil
}

// Entries that were not used for longest go first, but none that is in use.
func TestRoom(t *testing.T) {
	store, cache := remoteStore(t), t.TempDir()
	f, hours := tight(t, cache, 300<<10)
	var all []*Ref
	for i := range 4 {
		r := asArgument(t, f, store, File(tempFile(t, fmt.Sprint(i)+pattern(100<<10))))
		read(t, r)
		all = append(all, r)
	}
	f.cache.Sweep()
	for i, r := range all {
		if !there(f, r) {
			t.Errorf("%d was removed within the hour", i)
		}
	}
	hours.Store(2)
	read(t, all[0])
	ctx, done := context.WithCancel(t.Context())
	defer done()
	must(all[1].Path(ctx))(t)
	hours.Store(4)
	read(t, asArgument(t, f, store, File(tempFile(t, "one more"))))
	f.cache.Sweep()
	for i, want := range []bool{true, true, false, false} {
		if got := there(f, all[i]); got != want {
			t.Errorf("%d is there: %v", i, got)
		}
	}
	// It was evicted by an environment of its own; others respect the use, too.
	other, later := tight(t, cache, 0)
	later.Store(10)
	other.cache.Sweep()
	if !there(f, all[1]) {
		t.Error("what another environment uses was removed")
	}
	if there(f, all[0]) {
		t.Error("what nobody uses stayed")
	}
	done()
	for deadline := time.Now().Add(time.Minute); there(f, all[1]); other.cache.Sweep() {
		if time.Now().After(deadline) {
			t.Fatal("it is still in use though its context has ended")
		}
	}
	for _, r := range all { // and all can be had again
		read(t, r)
	}
}

// Folders and unfinished downloads count and go, too.
func TestRoomForFolders(t *testing.T) {
	store, gets := elsewhere(t)
	f, hours := tight(t, t.TempDir(), 0)
	tree := asArgument(t, f, store, Dir(folder(t)))
	path := must(tree.Path(t.Context()))(t)
	bigPath, content := big(t)
	r := asArgument(t, f, store, File(bigPath))
	gets.set(func(part blob.Range) error {
		if part.Offset > 0 {
			return errCut
		}
		return nil
	})
	if _, err := r.Open(t.Context()); err == nil {
		t.Fatal("no error")
	}
	gets.set(nil)
	hours.Store(2)
	f.cache.Sweep()
	if _, err := os.Stat(path); err != nil {
		t.Error("a folder in use was removed")
	}
	if left := must(filepath.Glob(filepath.Join(f.cache.Dir, "sha256", "*", "*")))(t); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	f.Close()
	other, hours := tight(t, f.cache.Dir, 0)
	hours.Store(2)
	other.cache.Sweep()
	for _, folder := range []string{"trees", "tmp"} {
		if left := must(os.ReadDir(filepath.Join(f.cache.Dir, folder)))(t); len(left) > 0 {
			t.Errorf("%s holds %v", folder, left)
		}
	}
	if got := read(t, r); got != content {
		t.Error("another content")
	}
}

// The use of a process ends with it, however that ends.
func TestRoomOfTheDead(t *testing.T) {
	e, _ := serve(t, File(tempFile(t, "content")))
	p := start(t, e)
	path := p.path()
	f, hours := tight(t, e.Cache, 0)
	hours.Store(2)
	f.cache.Sweep()
	if _, err := os.Stat(path); err != nil {
		t.Fatal("what a living process uses was removed")
	}
	p.kill()
	f.cache.Sweep()
	if _, err := os.Stat(path); err == nil {
		t.Error("what a dead process used was not removed")
	}
}

// Everything is removed all the time, and yet everybody reads what he asked for.
func TestRoomConcurrently(t *testing.T) {
	store, cache := remoteStore(t), t.TempDir()
	sweeper, hours := tight(t, cache, 0)
	hours.Store(2)
	f := newFilesWith(t, Options{CacheDir: cache, CacheSize: 1 << 30})
	text := pattern(3*int(rangeSize) + 5)
	file, tree := asArgument(t, f, store, File(tempFile(t, text))), asArgument(t, f, store, Dir(folder(t)))
	stop := make(chan struct{})
	var sweeping, reading sync.WaitGroup
	sweeping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				sweeper.cache.Sweep()
			}
		}
	})
	for range 2 {
		reading.Go(func() {
			for range 50 {
				open, err := file.Open(t.Context())
				if err != nil {
					t.Error(err)
					continue
				}
				if data, err := io.ReadAll(open); err != nil || string(data) != text {
					t.Errorf("read %d bytes: %v", len(data), err)
				}
				open.Close()
				ctx, cancel := context.WithCancel(t.Context())
				path, err := tree.Path(ctx)
				if err == nil {
					_, err = os.ReadFile(filepath.Join(path, "a", "deep", "x"))
				}
				if err == nil {
					path, err = file.Path(ctx)
				}
				if err == nil {
					_, err = os.ReadFile(path)
				}
				if err != nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	reading.Wait()
	close(stop)
	sweeping.Wait()
}
