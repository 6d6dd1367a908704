//go:build unix

package openfile

import (
	"errors"
	"syscall"
)

// Flags are those of open(2) that keep it from waiting. They change nothing
// about regular files.
const Flags = syscall.O_NONBLOCK | syscall.O_NOCTTY

// NoFollow makes open(2) fail where the path itself is a symbolic link.
const NoFollow = syscall.O_NOFOLLOW

const directory = syscall.O_DIRECTORY

// IsLeased says that a regular file was not opened because somebody has a lease
// on it (fcntl(2), F_SETLEASE), as file servers do. Without Flags, to open it
// waits until the lease is given up, at most /proc/sys/fs/lease-break-time.
func IsLeased(err error) bool { return errors.Is(err, syscall.EWOULDBLOCK) }
