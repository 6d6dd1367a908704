//go:build linux || darwin

package inherit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Pipe is a pipe, or another file, of this process that another will find under a
// number.
type Pipe struct {
	FD   int     // there
	From uintptr // here
}

// Variable is what the environment of that process must hold: its own output and
// the pipe that lives as long as this process watches, both to be read. A process
// that may stay has its end of the socket and the file with the number of its
// call, too.
func Variable(pipes ...Pipe) string {
	descriptions := make([]string, len(pipes))
	for i, pipe := range pipes {
		descriptions[i] = pipe.describe()
	}
	return pipesVariable + "=" + strings.Join(descriptions, ",")
}

// describe writes "number:inode".
func (p Pipe) describe() string {
	var info syscall.Stat_t
	syscall.Fstat(int(p.From), &info)
	return fmt.Sprintf("%d:%d", p.FD, info.Ino)
}

// Descriptor returns the number of a file without making it blocking.
func Descriptor(file *os.File) (number uintptr, err error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = conn.Control(func(fd uintptr) { number = fd })
	return number, err
}

// Kinds of files.
const (
	isPipe   = syscall.S_IFIFO
	isSocket = syscall.S_IFSOCK
	isFile   = syscall.S_IFREG
)

// find looks for a file that describe described, and hides it from children.
func find(description string, kind uint32) (fd int, err error) {
	fd, inode, err := parseDescription(description)
	if err != nil {
		return 0, err
	}
	var info syscall.Stat_t
	if err := syscall.Fstat(fd, &info); err != nil {
		return 0, err
	}
	if uint32(info.Mode)&syscall.S_IFMT != kind || info.Ino != inode {
		return 0, fmt.Errorf("descriptor %d is not the file %d", fd, inode)
	}
	syscall.CloseOnExec(fd)
	return fd, nil
}

// inherit opens a file that describe described.
func inherit(description string, kind uint32, name string) (*os.File, error) {
	fd, err := find(description, kind)
	if err != nil {
		return nil, err
	}
	// The descriptor itself stays open: without a reader, the worker's last
	// print after Close would kill it with SIGPIPE.
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

// chunkSize is the most that is handed on at once.
const chunkSize = 32 << 10

// pipeSize is more than a pipe holds: what a process leaves in its pipe when it
// dies is less. See pipe-max-size in pipe(7).
const pipeSize = 1 << 20

var buffers = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// ReadAll reads until the end of the pipe (true) or an error, such as a deadline.
func ReadAll(pipe *os.File, take func([]byte)) bool {
	buffer := buffers.Get().(*[chunkSize]byte)
	defer buffers.Put(buffer)
	for {
		n, err := pipe.Read(buffer[:])
		if n > 0 {
			take(buffer[:n])
		}
		if err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed)
		}
	}
}

// ReadRest reads what is in the pipe already, and waits for nothing.
func ReadRest(pipe *os.File, take func([]byte)) {
	pipe.SetReadDeadline(time.Time{})
	conn, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	buffer := buffers.Get().(*[chunkSize]byte)
	defer buffers.Put(buffer)
	for got := 0; got < pipeSize; {
		n := 0
		conn.Read(func(fd uintptr) bool {
			for {
				n, err = syscall.Read(int(fd), buffer[:])
				if err != syscall.EINTR {
					return true
				}
			}
		})
		if n <= 0 {
			return
		}
		take(buffer[:n])
		got += n
	}
}
