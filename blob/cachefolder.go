package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
)

// cacheFolder holds blobs of one store as entries in a folder of this machine,
// which any number of stores and processes share. The name of an entry is a
// hash over the store and the key; the entry proves itself, see openEntry.
//
// There are no locks. An entry appears whole, and only if there is none. A
// process that has read or put another version than the one in the folder
// cannot tell which of the two is newer: it removes the entry, and the next
// reader asks the store. So a late process never overwrites the entry of a
// newer put. An old version comes back only if three meet at one moment: a
// reader, a put that overtakes it, and a process that removes the entry of that
// put before the reader is done. If that process is the reader's own, the
// reader learns of it; see changes.
type cacheFolder struct {
	root    string // URI of the store
	prefix  []byte // begins the input of the name's hash
	entries *localcache.Folder
	log     *slog.Logger

	prepared sync.Once
	off      atomic.Bool // this process does not use the folder any more

	changes [64]changes // by key
}

// changes are the numbered changes of this process to some of the blobs. An
// answer that was asked for before a change is not kept after it.
type changes struct {
	mu     sync.Mutex
	n      uint64            // how many there were
	last   map[uint64]uint64 // by the hash of a key, the number of its last change
	before uint64            // changes up to this number were forgotten; they may have been to any blob
}

const maxChanges = 1024 // remembered for each share of the keys, in some 40 KB

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

// change removes the entry of a blob that may have changed.
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
		root: s.root, prefix: fmt.Appendf(nil, "%s\n%s\n%s\n", cacheFormat, s.identity, s.root), log: policy.Log,
		entries: localcache.New(localcache.Options{Dir: policy.Dir, Shelves: []string{"."}, Size: policy.Size, Log: policy.Log}),
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// largest is the size of the largest blob that the cache keeps, in bytes.
func (f *cacheFolder) largest() int64 { return f.entries.Size / 16 }

// usable reports whether the folder can be written to, and finds that out once:
// if entries cannot be removed, nobody must read them either.
func (f *cacheFolder) usable() bool {
	if f.entries.Size <= 0 {
		return false
	}
	f.prepared.Do(func() {
		if err := f.entries.Writable(); err != nil {
			f.off.Store(true)
			f.log.Debug("the read cache is not used; every read asks the store", "folder", f.entries.Dir, "error", err)
		}
	})
	return !f.off.Load()
}

func (f *cacheFolder) path(key string) string {
	var buffer [256]byte
	sum := sha256.Sum256(append(append(buffer[:0], f.prefix...), key...))
	name := hex.EncodeToString(sum[:])
	return f.entries.Dir + string(filepath.Separator) + name[:2] + string(filepath.Separator) + name[2:]
}

func (f *cacheFolder) read(key string) (content []byte, info Info, found bool) {
	if !f.usable() {
		return nil, Info{}, false
	}
	path := f.path(key)
	data, err := f.entries.Read(path, f.largest()+mostHead)
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
	info.Key = key
	return content, info, true
}

// mostHead is more bytes than an entry has in front of the content.
const mostHead = 64 << 10

// keep adds a blob, or removes its entry if that has another version. asked is
// the number of changes when the store was asked for the blob.
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
	path := f.path(key)
	switch err := f.entries.Put(path, sealEntry(f.root+"/"+key, content, info)); {
	case errors.Is(err, fs.ErrExist):
		f.settled(key, info.Version)
	case err != nil:
		f.log.Debug("the read cache does not take an entry", "blob", f.root+"/"+key, "file", path, "error", err)
	}
}

// settled reports whether there is an entry, and removes it if it is of another
// version.
func (f *cacheFolder) settled(key string, version Version) bool {
	_, info, found := f.read(key)
	if found && info.Version != version {
		f.drop(key)
	}
	return found
}

// drop removes the entry of a blob. If that fails, this process reads nothing
// from the folder any more.
func (f *cacheFolder) drop(key string) {
	path := f.path(key)
	err := f.entries.Remove(path)
	if err == nil {
		return
	}
	if _, unseen := os.Lstat(path); unseen != nil || f.off.Swap(true) { // a read-only file system refuses to remove what is not there
		return
	}
	f.log.Warn("an entry of the read cache cannot be removed, so programs may see a result that was replaced: delete the folder",
		"folder", f.entries.Dir, "blob", f.root+"/"+key, "error", err)
}

// cacheFormat is the first word of a cache entry. It is a part of the entry's
// name, too, so that programs of other versions have entries of their own.
const cacheFormat = "mopscache1"

// sealEntry makes the entry of a blob: a line with the format and the SHA-256
// of the rest; a line that describes the blob; its content. head -2 shows it to
// a person.
//
//	mopscache1 9f86d081…
//	2026-11-23T14:12:00.5Z "0x8DC" s3://bucket/mops1/default/f@0/amber-kite-river.60f3…/result
func sealEntry(uri string, content []byte, info Info) []byte {
	out := make([]byte, 0, len(cacheFormat)+2*sha256.Size+len(uri)+len(info.Version)+len(content)+64)
	out = append(append(out, cacheFormat...), ' ')
	hashAt := len(out)
	out = append(append(out, make([]byte, 2*sha256.Size)...), '\n')
	restAt := len(out)
	out = append(info.ModTime.UTC().AppendFormat(out, time.RFC3339Nano), ' ')
	out = append(strconv.AppendQuote(out, string(info.Version)), ' ')
	out = append(append(append(out, uri...), '\n'), content...)
	sum := sha256.Sum256(out[restAt:])
	hex.Encode(out[hashAt:], sum[:])
	return out
}

// openEntry takes an entry apart, after checking all of it. The returned
// content lies in data.
func openEntry(uri string, data []byte) (content []byte, info Info, err error) {
	const headLength = len(cacheFormat) + 1 + 2*sha256.Size + 1
	if len(data) < headLength {
		return nil, Info{}, fmt.Errorf("it has %d bytes, too few for its first line", len(data))
	}
	var head [headLength]byte
	copy(head[:], cacheFormat+" ")
	sum := sha256.Sum256(data[headLength:])
	hex.Encode(head[len(cacheFormat)+1:], sum[:])
	head[headLength-1] = '\n'
	if string(head[:]) != string(data[:headLength]) {
		return nil, Info{}, errors.New("it does not match its first line")
	}
	line, content, _ := bytes.Cut(data[headLength:], []byte{'\n'})
	date, rest, _ := strings.Cut(string(line), " ")
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil || rest[len(quoted):] != " "+uri {
		return nil, Info{}, fmt.Errorf("it is not that of %s", uri)
	}
	info.Size = int64(len(content))
	if info.ModTime, err = time.Parse(time.RFC3339Nano, date); err != nil {
		return nil, Info{}, err
	}
	version, err := strconv.Unquote(quoted)
	info.Version = Version(version)
	return content, info, err
}
