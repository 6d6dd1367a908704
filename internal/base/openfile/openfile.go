// Package openfile opens files at paths where something else may lie: a pipe,
// a device, a folder. It never waits for what is there.
package openfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// IrregularError says that what lies at a path is not the regular file that
// should be there.
type IrregularError struct {
	Path string
	Mode fs.FileMode // of what is there
}

func (e *IrregularError) Error() string {
	return fmt.Sprintf("%s is no regular file but %s", e.Path, Kind(e.Mode))
}

// Kind names what has a mode, such as "a pipe".
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "of mode " + mode.String()
}

// Regular opens a regular file for reading. What else is there, behind symbolic
// links too, is refused with an [IrregularError]; a pipe has no chance to block.
func Regular(path string) (*os.File, error) { return RegularFile(path, os.O_RDONLY, 0) }

// RegularFile is [os.OpenFile] for regular files; see [Regular].
func RegularFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	file, err := NoWait(path, flag, perm)
	if err != nil { // a socket, for one, cannot be opened
		if info, statErr := os.Stat(path); statErr == nil && !info.Mode().IsRegular() {
			err = &IrregularError{path, info.Mode()}
		}
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &IrregularError{path, info.Mode()}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// NoWait is [os.OpenFile] for whatever may be at a path: it does not wait for
// the other end of a pipe, and takes no terminal for the process's own.
func NoWait(path string, flag int, perm fs.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, flag|Flags, perm)
	if IsLeased(err) {
		return os.OpenFile(path, flag, perm)
	}
	return file, err
}

// Folder opens a folder, and nothing else; flag may be [NoFollow].
func Folder(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|directory|flag, 0)
}

// ReadAll reads a regular file of at most limit bytes; of a longer one, so much
// and one byte.
func ReadAll(path string, limit int64) ([]byte, error) {
	file, err := Regular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit+1))
}
