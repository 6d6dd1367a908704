package filehash

import (
	"encoding/binary"
	"time"
)

// Stamp identifies one state of one file without reading it: writing to a file,
// or putting another in its place, changes its stamp. It includes the change
// time, which nobody can set back.
//
// That holds for a file that is old enough, see racy, and settled. A kernel
// dates a write when it begins, and writes through a shared mapping when the
// first of them makes a page dirty, or later, or never. The files
// stamp_linux.go and stamp_darwin.go say what settle does, and on which file
// systems that is known to suffice; on all others a file is hashed each time.
type Stamp struct {
	Size         int64
	dev, ino     uint64
	mtime, ctime int64 // ns since 1970
}

// racyFor is how long after a change another one may leave the stamp as it was,
// because file systems date changes in ticks. Git has the same rule
// (Documentation/technical/racy-git.adoc); two seconds is the tick of FAT.
const racyFor = 2 * time.Second

// racy reports whether the file changed so shortly before now that its stamp
// may not show the next change.
func (s Stamp) racy(now time.Time) bool {
	return now.UnixNano()-s.ctime < int64(racyFor)
}

// written reports whether the file was written to since it had another stamp.
func (s Stamp) written(since Stamp) bool { return s.Size != since.Size || s.mtime != since.mtime }

// key is the file's state under the name of this boot. A kernel that crashed
// may leave new content under old times, above all if times are written late
// (lazytime in mount(8)), and it numbers devices anew.
func (h *Hasher) key(s Stamp) key {
	b := make([]byte, 0, 128)
	b = append(b, "stat\x00"...)
	for _, n := range [...]uint64{s.dev, s.ino, uint64(s.Size), uint64(s.mtime), uint64(s.ctime)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return keyOf(append(b, h.Boot...))
}
