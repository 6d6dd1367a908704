package filehash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// ErrChanged says that a file changed, or vanished, after it was hashed and
// before it was stored.
var ErrChanged = errors.New("the file changed while it was in use")

// Changed says in what way a file changed.
func Changed(path string, before, after Stamp) error {
	return changed(path, differ(before, after))
}

func changed(path string, what error) error {
	return fmt.Errorf("source %s: %w (%w); nothing was stored under its name: wait until whoever writes it is done, then call again", path, ErrChanged, what)
}

// noSnapshot says that a file has no fixed content for a hash to identify.
func noSnapshot(path string, size int64) error {
	return fmt.Errorf("source %s: its content is made while it is read, as in /proc, and is not the %d bytes of its size: pass a copy of its content", path, size)
}

// differ says in which way two stamps differ.
func differ(before, after Stamp) error {
	switch {
	case before.Size != after.Size:
		return fmt.Errorf("%d bytes became %d", before.Size, after.Size)
	case before.ino != after.ino || before.dev != after.dev:
		return errors.New("another file took its place")
	case before.mtime != after.mtime:
		return fmt.Errorf("it was written to at %s", time.Unix(0, after.mtime).Format(time.RFC3339Nano))
	case before.ctime != after.ctime:
		return fmt.Errorf("it was touched at %s", time.Unix(0, after.ctime).Format(time.RFC3339Nano))
	}
	return errors.New("its content is another")
}

// Regular refuses a file that has no content of its own.
func Regular(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return irregular(path, info.Mode())
}

func irregular(path string, mode fs.FileMode) error {
	if mode.IsDir() {
		return fmt.Errorf("source %s: this is a folder: use Dir", path)
	}
	return fmt.Errorf("source %s: this is no regular file but %s, whose content cannot be known: pass a copy of its content", path, openfile.Kind(mode))
}

// Readable names the source in an error of the file system, and says what to do
// if that is not obvious.
func Readable(path string, err error) error {
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		if link, linkErr := os.Lstat(path); linkErr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("source %s: a dangling link: mend or remove it: %w", path, err)
		}
		return fmt.Errorf("source %s: there is no such file: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("source %s: it may not be read: %w", path, err)
	}
	if e, ok := errors.AsType[*openfile.IrregularError](err); ok { // it has just taken the place of a file
		return irregular(path, e.Mode)
	}
	if errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("source %s: a symbolic link that leads back to itself: remove it: %w", path, err)
	}
	return fmt.Errorf("source %s: %w", path, err)
}
