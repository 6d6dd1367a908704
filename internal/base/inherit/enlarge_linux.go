package inherit

import (
	"os"

	"golang.org/x/sys/unix"
)

// enlarge makes room in a pipe for all that a crash prints; see F_SETPIPE_SZ in
// fcntl(2). Where that is refused the pipe stays as it is.
func enlarge(pipe *os.File) {
	if fd, err := Descriptor(pipe); err == nil {
		unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
	}
}
