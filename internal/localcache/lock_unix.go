//go:build linux || darwin

package localcache

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes a lock on an open file or folder, shared with others who share
// it, or alone. It ends when the file is closed or the process dies, however it
// dies (flock(2)). The error is errLocked where others are in the way, and
// another where the file system knows no locks.
func tryLock(file *os.File, alone bool) error {
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for {
			failed = syscall.Flock(int(fd), how|syscall.LOCK_NB)
			if failed != syscall.EINTR {
				return
			}
		}
	})
	if failed == syscall.EWOULDBLOCK {
		failed = errLocked
	}
	return errors.Join(err, failed)
}
