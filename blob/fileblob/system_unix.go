//go:build unix

package fileblob

import (
	"io/fs"
	"syscall"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// addSystem adds what package fs has no name for.
func (a *attributes) addSystem(info fs.FileInfo) {
	st := info.Sys().(*syscall.Stat_t)
	a.inode, a.links, a.group = uint64(st.Ino), uint64(st.Nlink), int(st.Gid)
}

func syncFolder(dir string) error {
	f, err := openfile.Folder(dir, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
