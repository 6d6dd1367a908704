package fileblob

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// attributes are what the file system says of a file.
type attributes struct {
	identity
	size  int64
	links uint64 // names of the file; 0 after the last was removed
	mode  fs.FileMode
	group int
}

func (a attributes) info(key string, v version) driver.Info {
	return driver.Info{Key: key, Size: a.size, ModTime: time.Unix(0, a.mtime), Version: v.token()}
}

func attributesOf(info fs.FileInfo, err error) (attributes, error) {
	if err != nil {
		return attributes{}, err
	}
	a := attributes{identity: identity{mtime: info.ModTime().UnixNano()}, size: info.Size(), mode: info.Mode()}
	a.addSystem(info)
	return a, nil
}

func statOf(file *os.File) (attributes, error) { return attributesOf(file.Stat()) }

func attributesAt(path string) (attributes, error) { return attributesOf(os.Stat(path)) }

// openBlob opens what may be a blob for reading.
func openBlob(path string) (*os.File, error) {
	file, err := openfile.NoWait(path, os.O_RDONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if a, err := attributesAt(path); err == nil && !a.mode.IsDir() && !a.mode.IsRegular() {
			return nil, irregular(path, a.mode) // a socket, for example, cannot be opened
		}
	}
	return file, err
}

// exists reports whether there is anything at path. If it cannot look, it says
// yes: the next operation then says why not.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || !isNotExist(err)
}

func isNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
