package fileblob

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// alwaysNamed says that this system has no unnamed files.
const alwaysNamed = false

var errNoUnnamed = errors.New("no unnamed files here")

// hasProc reports whether unnamed files can be linked by /proc/self/fd, the
// only way that needs no privilege (open(2), under O_TMPFILE).
var hasProc = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/self/fd")
	return err == nil
})

// openUnnamed opens a file without a name in the file system of dir, by
// O_TMPFILE. NFS and some others have no such files.
func openUnnamed(dir string) (*os.File, error) {
	if !hasProc() {
		return nil, errNoUnnamed
	}
	for {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, fileMode)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), dir), nil
		case unix.EINTR:
		case unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL:
			return nil, errNoUnnamed
		default:
			return nil, &os.PathError{Op: "open", Path: dir, Err: err}
		}
	}
}

func (st *staged) link(path string) error {
	if st.name != "" {
		return os.Link(st.name, path)
	}
	file := "/proc/self/fd/" + strconv.Itoa(int(st.file.Fd()))
	if err := unix.Linkat(unix.AT_FDCWD, file, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &os.PathError{Op: "link", Path: path, Err: err}
	}
	return nil
}

// setTime sets the modification time through the descriptor: utimensat(2)
// without a path, which package unix does not offer.
func (st *staged) setTime(mtime time.Time) error {
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtime.UnixNano())}
	if _, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, st.file.Fd(), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0); errno != 0 {
		return os.NewSyscallError("utimensat", errno)
	}
	return nil
}
