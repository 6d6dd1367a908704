package source

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/openfile"
)

// The cache is looked through when a process has added a sixteenth of its bound,
// and then what was not used for longest goes until a sixteenth is free. Where
// that first sixteenth ends is up to chance in each process: a thousand short
// programs look as often, all together, as a long one that adds as much.
const roomShare = 16

// usedFor is how long an entry is taken to be in use after it was used: whoever
// opens a path that he was told does so within that time.
const usedFor = time.Hour

func (f *Files) firstAdded() int64 { return rand.N(max(f.cacheSize/roomShare, 1)) }

// makeRoom counts an entry that was added to the cache and, when it is time,
// removes others. It never removes what somebody has locked or used within the
// last hour, so the cache may be over its bound for a while.
func (f *Files) makeRoom(ctx context.Context, path string, added int64) {
	if f.added.Add(max(added, 0)) < f.cacheSize/roomShare {
		return
	}
	f.added.Store(0)
	entries := f.entries()
	slices.SortFunc(entries, func(a, b cacheEntry) int { return a.used.Compare(b.used) })
	var total int64
	for _, e := range entries {
		total += e.size
	}
	began, before := f.now(), total
	for _, e := range entries {
		if total <= f.cacheSize-f.cacheSize/roomShare || began.Sub(e.used) < usedFor || ctx.Err() != nil {
			break
		}
		if e.path != path && f.evict(e.path) {
			total -= e.size
		}
	}
	if before != total {
		f.log.DebugContext(ctx, "removed sources from the cache", "folder", f.cacheDir, "bytes", before-total, "left", total)
	}
}

// cacheEntry is an entry as makeRoom sees it, with its part.
type cacheEntry struct {
	path string
	size int64
	used time.Time
}

// entries are all of the cache. Others may add and remove some meanwhile.
func (f *Files) entries() (all []cacheEntry) {
	for _, pattern := range []string{filepath.Join("sha256", "*"), "trees"} {
		folders, _ := filepath.Glob(filepath.Join(f.cacheDir, pattern)) // its only error is a bad pattern
		for _, folder := range folders {
			sizes := map[string]int64{}
			names, _ := os.ReadDir(folder)
			for _, e := range names {
				name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), usedSuffix), partSuffix)
				sizes[name] += sizeOf(filepath.Join(folder, e.Name()))
			}
			for name, size := range sizes {
				path := filepath.Join(folder, name)
				all = append(all, cacheEntry{path, size, lastUse(path)})
			}
		}
	}
	return all
}

// sizeOf is that of a file, or of all files in a folder.
func sizeOf(path string) (size int64) {
	filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // somebody is removing it
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			size += info.Size()
		}
		return nil
	})
	return size
}

// evict removes an entry and its part, unless somebody has one of them locked.
func (f *Files) evict(path string) bool {
	if !f.evictOne(path) || !f.evictOne(path+partSuffix) {
		return false
	}
	os.Remove(path + usedSuffix)
	return true
}

func (f *Files) evictOne(path string) bool {
	file, err := openfile.NoWait(path, os.O_RDONLY, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) // what is just appearing is not ours to remove
	}
	defer file.Close()
	if errors.Is(tryLock(file, true), errLocked) || !isAt(file, path) {
		return false
	}
	return f.discard(path) == nil
}

// discard removes a file or a folder of the cache at once, though a folder takes
// its time.
func (f *Files) discard(path string) error {
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	temp, err := f.tempDir()
	if err != nil {
		return err
	}
	if temp, err = os.MkdirTemp(temp, "discarded-*"); err != nil {
		return cacheError(err)
	}
	err = os.Rename(path, filepath.Join(temp, "it"))
	return cmp.Or(os.RemoveAll(temp), err)
}
