package blob

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The folder is looked through when a process has written a sixteenth of the
// bound, and then what was not used for longest is removed until at most seven
// eighths are left. So one process stays below the bound, and each further one
// that writes at the same time may add a sixteenth.
//
// Where that sixteenth begins is up to chance in each process: a thousand short
// programs look as often, all together, as a long one that writes as much.
//
// To look through 1 GiB of small results, some 260,000 files, takes about a
// second on a local disk; until the next look, 16,000 are written.
const (
	cacheShare = 16
	keptShares = 14
)

// cacheBlock is what a file takes on most file systems, in bytes, and multiples of it.
const cacheBlock = 4096

// staleEntry is when a file that was never finished is removed.
const staleEntry = time.Hour

func onDisk(size int64) int64 { return (size + cacheBlock - 1) / cacheBlock * cacheBlock }

// share is how much is written between two looks.
func (f *cacheFolder) share() int64 { return max(f.size/cacheShare, 1) }

// wrote counts an entry, and begins a sweep when one is due.
func (f *cacheFolder) wrote(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written += onDisk(size)
	if f.written < f.share() || f.sweeping || f.closed {
		return
	}
	f.sweeping = true
	f.sweeps.Go(func() {
		for f.due() {
			f.sweep()
		}
	})
}

// due reports whether the one who sweeps has to, or has to again.
func (f *cacheFolder) due() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sweeping = f.written >= f.share(); f.sweeping {
		f.written = 0
	}
	return f.sweeping
}

// close waits for a sweep that goes on: many short programs would never finish
// one otherwise.
func (f *cacheFolder) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.sweeps.Wait()
}

// cacheUse is what a sweep remembers of an entry.
type cacheUse struct {
	name [sha256.Size]byte
	size int64
	used int64
}

// sweep removes what was not used for longest, down to keptShares. Of what
// cannot be read or removed somebody else may have been faster to.
func (f *cacheFolder) sweep() {
	var uses []cacheUse
	var total int64
	filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		stat, err := d.Info()
		if err != nil {
			return nil
		}
		if strings.HasPrefix(d.Name(), newEntry) {
			if time.Since(stat.ModTime()) > staleEntry {
				os.Remove(path)
			}
			return nil
		}
		use := cacheUse{size: onDisk(stat.Size()), used: stat.ModTime().UnixNano()}
		name, err := hex.DecodeString(filepath.Base(filepath.Dir(path)) + d.Name())
		if err == nil && len(name) == len(use.name) {
			use.name = [sha256.Size]byte(name)
			uses = append(uses, use)
			total += use.size
		}
		return nil
	})
	slices.SortFunc(uses, func(a, b cacheUse) int { return cmp.Compare(a.used, b.used) })
	for _, use := range uses {
		if total <= f.share()*keptShares {
			return
		}
		os.Remove(f.file(use.name))
		total -= use.size
	}
}
