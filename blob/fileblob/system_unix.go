//go:build unix

package fileblob

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// addSystem adds what package fs has no name for.
func (a *attributes) addSystem(info fs.FileInfo) {
	st := info.Sys().(*syscall.Stat_t)
	a.inode, a.links, a.group = uint64(st.Ino), uint64(st.Nlink), int(st.Gid)
}

// listedAt is attributesAt without what no list says: lists of many blobs spend much of
// their time in os.Stat.
func listedAt(path string) (attributes, error) {
	var st unix.Stat_t
	err := unix.EINTR
	for err == unix.EINTR {
		err, _ = unix.Stat(path, &st).(unix.Errno)
	}
	if err != 0 {
		return attributes{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return attributes{identity: identity{st.Ino, st.Mtim.Nano()}, size: st.Size}, nil
}

func syncFolder(dir string) error {
	f, err := openfile.Folder(dir, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
