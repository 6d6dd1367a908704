// Package sparse writes files whose zeros take no space.
package sparse

import (
	"bytes"
	"io"
	"os"
)

// Writer writes to a new file, from where it stands on. Of what is written at once,
// zeros alone become a hole. At the end comes Close, which leaves the file open.
type Writer struct {
	file *os.File
	hole bool // at the end, so far
}

func New(file *os.File) *Writer { return &Writer{file: file} }

func (w *Writer) Write(p []byte) (int, error) {
	if w.hole = zero(p); !w.hole {
		return w.file.Write(p)
	}
	_, err := w.file.Seek(int64(len(p)), io.SeekCurrent)
	return len(p), err
}

// Close gives the file its size if it ends in a hole.
func (w *Writer) Close() error {
	if !w.hole {
		return nil
	}
	size, err := w.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return w.file.Truncate(size)
}

var zeros [4 << 10]byte

func zero(p []byte) bool {
	for len(p) > 0 {
		n := min(len(p), len(zeros))
		if !bytes.Equal(p[:n], zeros[:n]) {
			return false
		}
		p = p[n:]
	}
	return true
}
