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

// settleAtOnce is after how much, in bytes, a file that is being written to the
// disk can be left.
const settleAtOnce = 256 << 20

// settle makes the stamp of a file tell all writes from now on, and reports
// whether it does. Where a page is clean, the kernel write-protects it in all
// mappings, and at the first write faults and dates the file; after that it does
// not, until the page is clean again. So what is dirty is written to the disk
// first, as the kernel would do within half a minute. A write(2) is dated when it
// begins: SEEK_DATA takes the file's lock, and so waits for those under way; a
// direct write that overwrites is alone in not taking it.
//
// It suffices on the file systems below, which the test of this function tries:
// elsewhere there may be no such fault (tmpfs), other machines that write
// (network file systems), an unknown file system underneath (overlay, FUSE), or
// coarse times (FAT). A file that is clean already costs microseconds.
func settle(ctx context.Context, file *os.File) bool {
	switch fileSystem(file) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC: // the first is that of ext2 and ext3, too
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

// generated reports whether the kernel makes up what the file holds while it is
// read. Its size says nothing, and some have no end, or make the reader wait.
func generated(file *os.File) bool {
	switch fileSystem(file) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.SELINUX_MAGIC:
		return true
	}
	return false
}

// fileSystem is the number of the kind of file system; see statfs(2). 0 is none.
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
