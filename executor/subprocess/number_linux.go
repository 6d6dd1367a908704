package subprocess

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// canStay reports whether a process can take more than one call here.
const canStay = true

// number is a file with the number of the call that a process runs. It has no
// name and goes with the process, where others find it in /proc. Its lock is held
// while somebody decides by it what becomes of the process.
type number struct{ *os.File }

// Numbers that are no call's.
const (
	noCall      = 0
	stoppedCall = 1<<64 - 1 // the call is being stopped by who attached to it: the process must not take another
)

const numberName = "mops-call"

func newNumber() (number, error) {
	fd, err := unix.MemfdCreate(numberName, unix.MFD_CLOEXEC)
	if err != nil {
		return number{}, os.NewSyscallError("memfd_create", err)
	}
	return number{os.NewFile(uintptr(fd), numberName)}, nil
}

// errUnnumbered says that nothing can be found out but that the process lives: it
// is there for one call, or it is another user's.
var errUnnumbered = errors.New("the process has no number of a call that could be read")

// openNumber opens that of another process.
func openNumber(h process.Handle) (number, error) {
	file := fmt.Sprintf("/proc/%d/fd/%d", h.PID, numberFD)
	if link, err := os.Readlink(file); h.Call == 0 || err != nil || !strings.HasPrefix(link, "/memfd:"+numberName) {
		return number{}, errUnnumbered
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return number{}, errUnnumbered
	}
	return number{f}, nil
}

func (n number) set(call uint64) error {
	_, err := n.WriteAt(binary.LittleEndian.AppendUint64(nil, call), 0)
	return err
}

// is reports whether that is the present call, which may be being stopped.
func (n number) is(call int) bool {
	there, err := n.read()
	return err == nil && (there == uint64(call) || there == stoppedCall)
}

func (n number) read() (uint64, error) {
	var text [8]byte
	if _, err := n.ReadAt(text[:], 0); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(text[:]), nil
}

// swap writes another number over that of a call, if it is still there.
func (n number) swap(call int, to uint64) (swapped bool, err error) {
	if err := unix.Flock(int(n.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, err
	}
	defer unix.Flock(int(n.Fd()), unix.LOCK_UN)
	there, err := n.read()
	if err != nil || there != uint64(call) {
		return false, err
	}
	return true, n.set(to)
}

func newSocket() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "calls of a worker"), os.NewFile(uintptr(fds[1]), "calls"), nil
}
