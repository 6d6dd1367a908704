package filehash

import (
	"encoding/binary"
	"time"
)

// Stamp tells one state of one file from another without reading it: whoever
// writes to a file, or puts another in its place, changes its stamp. The change
// time is what nobody can set back.
//
// That holds of a file that is old enough, see racy, and that was settled: a
// kernel dates a write when it begins, and writes through a shared mapping when
// the first of them makes a page dirty, or later, or never. What settle does, and
// on which file systems it is known to suffice, is in stamp_linux.go and
// stamp_darwin.go; on all others a file is hashed each time.
type Stamp struct {
	Size         int64
	dev, ino     uint64
	mtime, ctime int64 // ns since 1970
}

// racyFor is how long after a change another one may leave the stamp as it was,
// because file systems date changes in ticks. Git has the same rule
// (Documentation/technical/racy-git.adoc); two seconds is the tick of FAT.
const racyFor = 2 * time.Second

// racy reports whether the file was changed too shortly before now for its
// stamp to tell the next change.
func (s Stamp) racy(now time.Time) bool {
	return now.UnixNano()-s.ctime < int64(racyFor)
}

// written reports whether somebody wrote to the file since it had another stamp.
func (s Stamp) written(since Stamp) bool { return s.Size != since.Size || s.mtime != since.mtime }

// key is the file's state under the name of this boot. A kernel that went down
// without warning may leave new content under old times, most of all where times
// are written late (lazytime in mount(8)), and gives its numbers of devices anew.
func (h *Hasher) key(s Stamp) key {
	b := make([]byte, 0, 128)
	b = append(b, "stat\x00"...)
	for _, n := range [...]uint64{s.dev, s.ino, uint64(s.Size), uint64(s.mtime), uint64(s.ctime)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return keyOf(append(b, h.Boot...))
}
