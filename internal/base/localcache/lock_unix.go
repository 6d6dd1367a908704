//go:build linux || darwin

package localcache

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks an open file or folder, either alone or shared with others who
// share it. The lock ends when the file is closed or the process dies, however
// it dies (flock(2)). The error is errLocked if another lock is in the way, and
// another error if the file system has no locks.
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
