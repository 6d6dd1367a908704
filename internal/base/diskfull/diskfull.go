//go:build linux || darwin

// Package diskfull says of what a full file system has nothing left: space, or
// inodes, of which each file takes one however small it is.
package diskfull

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// NoInodes reports whether an error came about because the file system that it
// names has no inode left, though it has space.
func NoInodes(err error) bool {
	if !errors.Is(err, syscall.ENOSPC) {
		return false
	}
	for path := of(err); path != ""; path = filepath.Dir(path) {
		var s syscall.Statfs_t
		switch err := syscall.Statfs(path, &s); {
		case err == nil:
			return s.Files > 0 && s.Ffree == 0 && s.Bavail > 0 // some file systems have no fixed number
		case !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path):
			return false
		}
	}
	return false
}

// of is the path that an error names: the new one of two.
func of(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Path
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.New
	}
	return ""
}
