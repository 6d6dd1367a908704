package filehash

import (
	"context"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// StampOf is the stamp of a file as the system describes it.
func StampOf(info os.FileInfo) Stamp {
	s := Stamp{Size: info.Size(), mtime: info.ModTime().UnixNano(), ctime: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.dev, s.ino = uint64(sys.Dev), sys.Ino
		s.ctime = sys.Ctim.Nano()
	}
	return s
}

// stampAt is the stamp of a file that may have been settled before. Linux dates
// every later write before it happens.
func stampAt(_ string, info os.FileInfo) Stamp { return StampOf(info) }

func pageOut(*os.File) error { return nil }

// settleAtOnce is how many bytes are written to the disk between two looks at
// the context.
const settleAtOnce = 256 << 20

// settle makes the stamp of a file show all later writes, and reports whether
// it could.
//
// The problem: the kernel dates a write through a shared mapping only at the
// first write to a clean page: the page is write-protected in all mappings, so
// that write faults. Later writes to the page, now dirty, are not dated until
// it is clean again.
//
// The idea: first write all dirty pages to the disk, as the kernel would do
// within half a minute. Then the next write to any page faults, and is dated. A
// write(2) is dated when it begins, so wait for those under way: SEEK_DATA
// takes the file's lock, as every write does except a direct one that
// overwrites.
//
// It suffices on the file systems below, on which this function's test tries
// it. Elsewhere there may be no such fault (tmpfs), other machines that write
// (network file systems), an unknown file system underneath (overlay, FUSE), or
// coarse times (FAT). A file that is already clean costs microseconds.
func settle(ctx context.Context, file *os.File) bool {
	switch fileSystem(file) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC: // the first is also the number of ext2 and ext3
	default:
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	fd := int(file.Fd())
	for at := int64(0); at < info.Size(); at += settleAtOnce {
		const flags = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
		if ctx.Err() != nil || unix.SyncFileRange(fd, at, settleAtOnce, flags) != nil {
			return false
		}
	}
	_, err = unix.Seek(fd, 0, unix.SEEK_DATA)
	if err != nil && err != unix.ENXIO { // no data
		return false
	}
	_, err = unix.Seek(fd, 0, unix.SEEK_SET)
	return err == nil
}

// generated reports whether the kernel makes up the file's content while it is
// read. Then its size says nothing, and reading may never end, or block.
func generated(file *os.File) bool {
	switch fileSystem(file) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.SELINUX_MAGIC:
		return true
	}
	return false
}

// fileSystem is the number of the kind of file system, see statfs(2), or 0.
func fileSystem(file *os.File) uint32 {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &s); err != nil {
		return 0
	}
	return uint32(s.Type)
}

var bootID = sync.OnceValue(func() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
})
