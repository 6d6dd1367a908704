package slots

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The folder of a server is named so; its socket is in it.
const (
	dirPattern = "mops-slots-*"
	socketName = "slots"
)

// sweep removes what servers that were killed left in a folder. Nobody listens
// to their sockets any more; a young one may be about to.
func sweep(temp string) {
	const young = time.Minute
	dirs, _ := filepath.Glob(filepath.Join(temp, dirPattern))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < young {
			continue
		}
		socket := filepath.Join(dir, socketName)
		conn, err := net.Dial("unix", socket)
		switch {
		case err == nil:
			conn.Close()
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
			os.Remove(socket)
			os.Remove(dir)
		}
	}
}
