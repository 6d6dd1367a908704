package source

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// stamp tells one state of one file from another without reading it: whoever
// writes to a file, or puts another in its place, changes its stamp. The change
// time is what nobody can set back.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // ns since 1970
}

// racyFor is how long after a change another one may leave the stamp as it was,
// because file systems date changes in ticks. Git has the same rule
// (Documentation/technical/racy-git.adoc); two seconds is the tick of FAT.
const racyFor = 2 * time.Second

// racy reports whether the file was changed too shortly before now for its
// stamp to tell the next change.
func (s stamp) racy(now time.Time) bool {
	return now.UnixNano()-s.ctime < int64(racyFor)
}

// cacheKey names what the cache of hashes knows something about.
type cacheKey [16]byte

func (s stamp) key() cacheKey {
	b := make([]byte, 0, 64)
	b = append(b, "stat\x00"...)
	for _, n := range [...]uint64{s.dev, s.ino, uint64(s.size), uint64(s.mtime), uint64(s.ctime)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(b)
	return cacheKey(sum[:16])
}
