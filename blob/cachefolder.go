package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/openfile"
)

// cacheFolder is the folder of a cache, as one store uses it:
//
//	<dir>/3f/9a0c…   an entry; its name is a hash over the store and the key
//	<dir>/3f/new-…   one that is being written
//
// It is read and written by any number of processes, without locks. Entries
// appear whole, by link(2), and only where there is none. Whoever has read or put
// another version than the one that lies there cannot tell which of the two is
// newer: then it removes the entry, and the next reader asks the store. So who
// comes late does not write over what was put meanwhile. It takes three at one
// moment to bring an old version back: a reader that the put of a new one
// overtakes, and somebody who removes the new one before the reader is done. Who
// is in the process of such a remover is told; see changes.
//
// An entry that does not verify counts as absent, so nothing is synced.
type cacheFolder struct {
	root   string // URI of the store
	prefix []byte // what the hash of a name begins with
	dir    string
	size   int64 // the bound; 0 keeps nothing
	log    *slog.Logger

	prepared sync.Once
	off      atomic.Bool // the folder is of no use to this process

	changes [64]changes // by key

	mu       sync.Mutex
	written  int64 // bytes since the last sweep began
	sweeping bool
	closed   bool
	sweeps   sync.WaitGroup
}

// changes are what this process did to some of the blobs, in the order of their
// numbers. What was asked for before one of these is not kept after it.
type changes struct {
	mu     sync.Mutex
	n      uint64            // how many there were
	last   map[uint64]uint64 // by the hash of a key, its last one
	before uint64            // up to this one they were forgotten, and may have been to any blob
}

const maxChanges = 1024 // that are remembered of each share of the keys, in some 40 KB

func (f *cacheFolder) changesOf(key string) (c *changes, hash uint64) {
	h := fnv.New64a()
	io.WriteString(h, key)
	hash = h.Sum64()
	return &f.changes[hash%uint64(len(f.changes))], hash
}

// asked is the number of changes so far.
func (f *cacheFolder) asked(key string) uint64 {
	c, _ := f.changesOf(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// change removes the entry of a blob that may be another one by now.
func (f *cacheFolder) change(key string) {
	c, hash := f.changesOf(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || len(c.last) >= maxChanges {
		c.last, c.before = map[uint64]uint64{}, c.n
	}
	c.n++
	c.last[hash] = c.n
	f.drop(key)
}

func newCacheFolder(s *Store, policy CachePolicy) *cacheFolder {
	f := &cacheFolder{
		root: s.root, prefix: fmt.Appendf(nil, "%s\n%s\n%s\n", cacheFormat, s.identity, s.root),
		dir: policy.Dir, size: policy.Size, log: policy.Log,
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.written = rand.N(f.share())
	return f
}

// largest is the size of the largest blob that is kept.
func (f *cacheFolder) largest() int64 { return f.size / cacheShare }

// usable reports whether the folder can be written to, found out once: what
// cannot be removed from it must not be read either.
func (f *cacheFolder) usable() bool {
	if f.size <= 0 {
		return false
	}
	f.prepared.Do(func() {
		probe, err := createIn(f.dir)
		if err == nil {
			probe.Close()
			err = os.Remove(probe.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.off.Store(true)
			f.log.Debug("the read cache is not used; every read asks the store", "folder", f.dir, "error", err)
		}
	})
	return !f.off.Load()
}

// path is the file of a blob's entry.
func (f *cacheFolder) path(key string) string {
	var buffer [256]byte
	sum := sha256.Sum256(append(append(buffer[:0], f.prefix...), key...))
	return f.file(sum)
}

func (f *cacheFolder) file(sum [sha256.Size]byte) string {
	name := hex.EncodeToString(sum[:])
	return f.dir + string(filepath.Separator) + name[:2] + string(filepath.Separator) + name[2:]
}

// touchAfter is when an entry that is read counts as used again. It keeps a hit
// from being a write.
const touchAfter = 10 * time.Minute

// read finds the entry of a blob.
func (f *cacheFolder) read(key string) (content []byte, info Info, found bool) {
	if !f.usable() {
		return nil, Info{}, false
	}
	path := f.path(key)
	data, used, err := readEntry(path, f.largest()+mostHead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Info{}, false
	}
	if err == nil {
		content, info, err = openEntry(f.root+"/"+key, data)
	}
	if err != nil {
		f.log.Debug("an entry of the read cache is of no use and removed", "blob", f.root+"/"+key, "file", path, "error", err)
		f.drop(key)
		return nil, Info{}, false
	}
	if now := time.Now(); now.Sub(used).Abs() > touchAfter {
		os.Chtimes(path, now, now) // if that fails, it is removed earlier
	}
	info.Key = key
	return content, info, true
}

// mostHead is more than an entry has in front of the content, in bytes.
const mostHead = 64 << 10

// readEntry is os.ReadFile of at most so many bytes, with the time at which the
// file was used last.
func readEntry(path string, most int64) (data []byte, used time.Time, err error) {
	file, err := openfile.NoWait(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, used, err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = &openfile.IrregularError{Path: path, Mode: stat.Mode()}
	}
	if err != nil {
		return nil, used, err
	}
	if stat.Size() > most {
		return nil, used, fmt.Errorf("it has %d bytes, more than an entry can have", stat.Size())
	}
	data = make([]byte, stat.Size())
	_, err = io.ReadFull(file, data)
	return data, stat.ModTime(), err
}

// keep adds a blob that was asked for after so many changes, or removes what the
// folder has of it in another version.
func (f *cacheFolder) keep(key string, content []byte, info Info, asked uint64) {
	if !f.usable() || f.settled(key, info.Version) {
		return
	}
	c, hash := f.changesOf(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last[hash] > asked || c.before > asked {
		return
	}
	entry := sealEntry(f.root+"/"+key, content, info)
	path := f.path(key)
	switch err := linkEntry(path, entry); {
	case errors.Is(err, fs.ErrExist):
		f.settled(key, info.Version)
	case err != nil:
		f.log.Debug("the read cache does not take an entry", "blob", f.root+"/"+key, "file", path, "error", err)
	default:
		f.wrote(int64(len(entry)))
	}
}

// settled reports whether there is an entry, which is removed unless it is of
// that version.
func (f *cacheFolder) settled(key string, version Version) bool {
	_, info, found := f.read(key)
	if found && info.Version != version {
		f.drop(key)
	}
	return found
}

// newEntry is what the name of a file begins with that is being written.
const newEntry = "new-"

// createIn makes a file with a new name, and its folder, which may be deleted
// again and again. What lies in the store may not be for all who use the machine.
func createIn(dir string) (*os.File, error) {
	for try := 1; ; try++ {
		file, err := os.CreateTemp(dir, newEntry+"*")
		if !errors.Is(err, fs.ErrNotExist) || try == 3 {
			return file, err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
}

// linkEntry makes a file with the entry where there is none.
func linkEntry(path string, entry []byte) error {
	file, err := createIn(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(entry)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	err = os.Link(file.Name(), path)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(file.Name(), path) // a file system without links
}

// drop removes the entry of a blob. Where it cannot be removed, this process
// reads nothing from the folder any more.
func (f *cacheFolder) drop(key string) {
	path := f.path(key)
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if _, unseen := os.Lstat(path); unseen != nil || f.off.Swap(true) { // a read-only file system refuses to remove what is not there
		return
	}
	f.log.Warn("an entry of the read cache cannot be removed, so programs may see a result that was replaced: delete the folder",
		"folder", f.dir, "blob", f.root+"/"+key, "error", err)
}
