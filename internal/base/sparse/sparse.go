// Package sparse writes files whose zeros take no space.
package sparse

import (
	"bytes"
	"os"
)

// Writer writes to a file from a place on after which the file has nothing yet. It
// leaves out blocks of zeros. At the end comes Close, which leaves the file open.
type Writer struct {
	file *os.File
	at   int64
	hole bool // before at
}

func New(file *os.File, at int64) *Writer { return &Writer{file: file, at: at} }

func (w *Writer) Write(p []byte) (written int, err error) {
	for written < len(p) {
		var n int
		n, w.hole = run(p[written:])
		if !w.hole {
			if n, err = w.file.WriteAt(p[written:written+n], w.at); err != nil {
				return written + n, err
			}
		}
		w.at += int64(n)
		written += n
	}
	return written, nil
}

// Close gives the file its size if it ends in a hole.
func (w *Writer) Close() error {
	if !w.hole {
		return nil
	}
	return w.file.Truncate(w.at)
}

var block [32 << 10]byte

// run is how much of p, in blocks, is zeros, or holds something.
func run(p []byte) (n int, zeros bool) {
	for n < len(p) {
		next := p[n:min(n+len(block), len(p))]
		zero := bytes.Equal(next, block[:len(next)])
		if n > 0 && zero != zeros {
			break
		}
		n, zeros = n+len(next), zero
	}
	return n, zeros
}
