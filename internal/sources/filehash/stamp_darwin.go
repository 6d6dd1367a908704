package filehash

import (
	"context"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// StampOf is the stamp of a file as the system describes it.
func StampOf(info os.FileInfo) Stamp {
	s := Stamp{Size: info.Size(), mtime: info.ModTime().UnixNano(), ctime: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.dev, s.ino = uint64(sys.Dev), sys.Ino
		s.ctime = sys.Ctimespec.Nano()
	}
	return s
}

// stampAt is the stamp of a file that may have been settled before. macOS dates
// writes through a mapping when it pages them out, so page out first.
func stampAt(path string, info os.FileInfo) Stamp {
	file, err := os.Open(path)
	if err != nil {
		return Stamp{}
	}
	defer file.Close()
	if pageOut(file) != nil {
		return Stamp{}
	}
	if info, err = file.Stat(); err != nil {
		return Stamp{}
	}
	return StampOf(info)
}

// pageOut writes the dirty pages of all mappings of the file: they share pages.
func pageOut(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	pages, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(pages)
	return unix.Msync(pages, unix.MS_SYNC)
}

// settle makes the stamp of a file show all later writes, as stampAt and
// FileStamp see it, and reports whether it could.
func settle(_ context.Context, file *os.File) bool {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &s); err != nil || unix.ByteSliceToString(s.Fstypename[:]) != "apfs" {
		return false
	}
	return pageOut(file) == nil
}

func generated(*os.File) bool { return false }

var bootID = sync.OnceValue(func() string {
	id, _ := unix.Sysctl("kern.bootsessionuuid")
	return id
})
