//go:build linux || darwin

package subprocess

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// describe writes "number:inode" of a pipe that the worker will find there.
func describe(number int, fd uintptr) string {
	var info syscall.Stat_t
	syscall.Fstat(int(fd), &info)
	return fmt.Sprintf("%d:%d", number, info.Ino)
}

// inherit opens a pipe that describe described.
func inherit(description, name string) (*os.File, error) {
	fd, inode, err := parsePipe(description)
	if err != nil {
		return nil, err
	}
	var info syscall.Stat_t
	if err := syscall.Fstat(fd, &info); err != nil {
		return nil, err
	}
	if info.Mode&syscall.S_IFMT != syscall.S_IFIFO || info.Ino != inode {
		return nil, fmt.Errorf("descriptor %d is not the pipe %d", fd, inode)
	}
	// The descriptor itself stays open: without a reader, the worker's last
	// print after Close would kill it with SIGPIPE.
	syscall.CloseOnExec(fd)
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(own, true); err != nil {
		syscall.Close(own)
		return nil, err
	}
	return os.NewFile(uintptr(own), name), nil
}

// expire lets reads fail from now on.
func expire(file *os.File) { file.SetReadDeadline(time.Unix(1, 0)) }
