//go:build !unix

package fileblob

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// handle is a file that is open for reading.
type handle struct{ *os.File }

func openHandle(path string) (handle, error) {
	f, err := os.Open(path)
	return handle{f}, err
}

func (h handle) stat() (attributes, error) {
	info, err := h.Stat()
	if err != nil {
		return attributes{}, err
	}
	return attributes{identity: identity{mtime: info.ModTime().UnixNano()}, size: info.Size(), links: 1, mode: info.Mode() &^ 0o070}, nil
}

func (h handle) appendTo(buf []byte, size int64) ([]byte, error) {
	start := len(buf)
	buf = grow(buf, size)[:start+int(size)]
	if _, err := io.ReadFull(h, buf[start:]); err != nil {
		return buf[:start], err
	}
	return buf, nil
}

func (h handle) file(string) *os.File { return h.File }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || !isNotExist(err)
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func attributesAt(path string) (attributes, error) {
	h, err := openHandle(path)
	if err != nil {
		return attributes{}, err
	}
	defer h.Close()
	return h.stat()
}

func statOf(file *os.File) (attributes, error) { return handle{file}.stat() }

// syncFolder does nothing where folders cannot be synced.
func syncFolder(string) error { return nil }
