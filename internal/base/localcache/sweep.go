package localcache

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// A process sweeps the folder when it has added a sixteenth of the bound, and
// then removes the entries with the oldest last use until at most fourteen
// sixteenths are left. So one process stays below the bound, and each further
// one that adds at the same time may exceed it by a sixteenth.
//
// Each process begins at a random point of its first sixteenth: so a thousand
// short programs sweep as often, all together, as a long one that adds as much.
//
// Looking through 1 GiB of small entries, some 260,000 files, takes about a
// second on a local disk; until the next sweep, 16,000 are added.
const (
	shares     = 16
	keptShares = 14
)

// share is how much is added between two sweeps.
func (f *Folder) share() int64 { return max(f.Size/shares, 1) }

// Added counts a new entry, and begins a sweep when one is due.
func (f *Folder) Added(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.added += onDisk(max(size, 0))
	if f.added < f.share() || f.sweeping || f.closed {
		return
	}
	f.sweeping = true
	f.sweeps.Go(func() {
		for f.due() {
			f.Sweep()
		}
	})
}

// due reports whether the sweeping goroutine must sweep, or sweep once more.
func (f *Folder) due() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sweeping = f.added >= f.share(); f.sweeping {
		f.added = 0
	}
	return f.sweeping
}

// Sweep removes the entries with the oldest last use, if the folder holds too
// much.
func (f *Folder) Sweep() {
	var entries []entry
	for _, shelf := range f.Shelves {
		entries = list(entries, filepath.Join(f.Dir, shelf))
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.used.Compare(b.used) })
	var total int64
	for _, e := range entries {
		total += e.size
	}
	began, before := f.Now(), total
	for _, e := range entries {
		if total <= f.share()*keptShares || f.KeepFor > 0 && began.Sub(e.used) < f.KeepFor {
			break
		}
		if f.evict(e) {
			total -= e.size
		}
	}
	if before != total {
		f.Log.Debug("removed entries from the cache", "folder", f.Dir, "bytes", before-total, "left", total)
	}
}

// entry is an entry and the files beside it, as a sweep sees them.
type entry struct {
	folder, name string
	size         int64
	used         time.Time
}

// list appends all entries below a folder. Others may add and remove some
// meanwhile.
func list(all []entry, folder string) []entry {
	files, _ := os.ReadDir(folder)
	here := map[string]*entry{}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimSuffix(file.Name(), usedSuffix), PartSuffix)
		info, err := file.Info()
		switch {
		case err != nil: // somebody is removing it
		case isEntry(name):
			e := here[name]
			if e == nil {
				e = &entry{folder: folder, name: name}
				here[name] = e
			}
			e.size += sizeOf(filepath.Join(folder, file.Name()), info)
			if info.ModTime().After(e.used) {
				e.used = info.ModTime()
			}
		case file.IsDir():
			all = list(all, filepath.Join(folder, name))
		}
	}
	for _, e := range here {
		all = append(all, *e)
	}
	return all
}

// isEntry tells the names of entries from those of shelves and of foreign
// files. The first release put incomplete results beside the entries, under
// names that begin with "new-".
func isEntry(name string) bool {
	const shortest = 62 // of results: their first two digits are only in the shelf's name
	_, err := hex.DecodeString(name)
	return err == nil && len(name) >= shortest || strings.HasPrefix(name, "new-")
}

// sizeOf is how much a file, or all files in a folder, take on most file
// systems.
func sizeOf(path string, info fs.FileInfo) (size int64) {
	if !info.IsDir() {
		return onDisk(info.Size())
	}
	filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // somebody is removing it
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			size += onDisk(info.Size())
		}
		return nil
	})
	return size
}

func onDisk(size int64) int64 {
	const block = 4096
	return (size + block - 1) / block * block
}

// evict removes an entry and its part, unless a process has one of them locked, or
// has used it since it was listed: a process that holds an entry notes its use first.
func (f *Folder) evict(e entry) bool {
	path := filepath.Join(e.folder, e.name)
	used := func() bool { return lastUse(path).After(e.used) }
	if !f.evictOne(path, used) || !f.evictOne(path+PartSuffix, used) {
		return false
	}
	os.Remove(path + usedSuffix)
	return true
}

func (f *Folder) evictOne(path string, used func() bool) bool {
	file, err := openfile.NoWait(path, os.O_RDONLY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true // an entry that just appears is not ours to remove
	case errors.Is(err, fs.ErrPermission):
		return f.Remove(path) == nil // another user made it in our folder
	case err != nil:
		return false
	}
	defer file.Close()
	if errors.Is(tryLock(file, true), errLocked) || !isAt(file, path) || used() {
		return false
	}
	return f.Remove(path) == nil
}
