package subprocess

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

const canStay = true

func newSocket() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "calls of a worker"), os.NewFile(uintptr(fds[1]), "calls"), nil
}

const numberName = "mops-call"

// newNumber makes a file without a name, which goes with the process.
func newNumber() (*os.File, error) {
	fd, err := unix.MemfdCreate(numberName, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), numberName), nil
}

// runs reports whether a process that lives runs that very call. Where it cannot
// be seen, it does as long as the process lives.
func runs(h process.Handle) bool {
	if h.Call == 0 {
		return true
	}
	file := fmt.Sprintf("/proc/%d/fd/%d", h.PID, numberFD)
	if link, err := os.Readlink(file); err != nil || !strings.HasPrefix(link, "/memfd:"+numberName) {
		return true
	}
	number, err := os.ReadFile(file)
	return err != nil || len(number) != 8 || binary.LittleEndian.Uint64(number) == uint64(h.Call)
}
