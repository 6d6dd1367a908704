package fileblob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/diskfull"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

var notFound = &driver.Error{Kind: driver.NotFound}

// missing is classify for the file of version 0, which is missing in most
// failures. A link that leads nowhere is an error of its own: taken for a
// missing blob, it would first be noticed by a put that it obstructs.
func missing(path string, err error) error {
	if !isNotExist(err) {
		return classify(err)
	}
	return cmp.Or(dangling(path), error(notFound))
}

// dangling is the error of a symbolic link that leads nowhere, or nil if path
// is no such link.
func dangling(path string) error {
	to, err := os.Readlink(path)
	if err != nil {
		return nil
	}
	if _, err := os.Stat(path); !isNotExist(err) {
		return nil
	}
	return invalid("%s is a symbolic link to %s, which is not there: remove the link, or bring back what it leads to", path, to)
}

// irregular is the error of something that cannot be a blob.
func irregular(path string, mode fs.FileMode) error {
	return invalid("%w, and does not belong into a store: remove it, or move it elsewhere", &openfile.IrregularError{Path: path, Mode: mode})
}

// obstacle is the error of something that lies where a folder should, or nil.
func obstacle(dir string) error {
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return nil
		case err == nil:
			return invalid("%s is %s, and a folder should be there: one blob cannot lie under another; remove it, or move it elsewhere", dir, openfile.Kind(info.Mode()))
		case dangling(dir) != nil:
			return dangling(dir)
		}
	}
	return nil
}

// advice maps errors of the operating system to kinds, and to what mends them.
var advice = []struct {
	err  error
	kind driver.Kind
	mend string
}{
	{fs.ErrNotExist, driver.NotFound, ""},
	{syscall.EROFS, driver.Denied, "the file system is mounted for reading only; choose another root, or mount it for writing"},
	{fs.ErrPermission, driver.Denied, "look at the owner and mode of the file and of the folders above it"},
	{syscall.ENOSPC, driver.Unavailable, "free some space on the disk, or choose another root"},
	{syscall.EDQUOT, driver.Unavailable, "remove some of your files, or ask for a larger quota"},
	{syscall.EFBIG, driver.Unavailable, "the file system or the limit on file sizes (ulimit -f) allows no larger file"},
	{syscall.EMFILE, driver.Unavailable, "raise the limit on open files (ulimit -n)"},
	{syscall.ENFILE, driver.Unavailable, "the machine has too many open files"},
	{syscall.EIO, driver.Unavailable, "the disk or the network behind it failed; look at the kernel's log"},
	{syscall.ESTALE, driver.Unavailable, "another host removed the folder; try again, or mount it anew"},
	{syscall.ETIMEDOUT, driver.Unavailable, "the file server does not answer"},
	{syscall.ENAMETOOLONG, driver.Invalid, "choose a shorter key or a root with a shorter path"},
	{syscall.ENOTDIR, driver.Invalid, "a file lies where a folder should be: one blob cannot lie under another"},
	{syscall.EISDIR, driver.Invalid, "a folder lies where the blob should be: one blob cannot lie under another"},
	{syscall.ELOOP, driver.Invalid, "the symbolic links in the path go in circles: remove them"},
	{syscall.EAGAIN, driver.Unavailable, "the file system has the file elsewhere, or another program has a lease on it; try again"},
	{syscall.EXDEV, driver.Invalid, "a folder of the root lies on another file system; one root must lie on one file system"},
	{errors.ErrUnsupported, driver.Invalid, "the file system must know hard links; choose a root on another"},
	{io.ErrUnexpectedEOF, driver.Corrupt, "the file became shorter while it was read"},
}

// classify turns an error of the operating system into a driver's.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e
	}
	for _, a := range advice {
		if !errors.Is(err, a.err) {
			continue
		}
		if diskfull.NoInodes(err) {
			a.mend = "the disk has space, and no inodes: it can hold no more files (df -i); remove some, or choose another root"
		}
		if a.mend != "" {
			err = fmt.Errorf("%w: %s", err, a.mend)
		}
		return &driver.Error{Kind: a.kind, Err: err}
	}
	return &driver.Error{Err: err}
}
