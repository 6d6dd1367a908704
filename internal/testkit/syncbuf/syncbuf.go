// Package syncbuf is a buffer that tests read while others write to it: loggers,
// displays, programs.
package syncbuf

import (
	"bytes"
	"sync"
)

// Buffer collects what is written to it. The zero value is empty, and safe for
// concurrent use.
type Buffer struct {
	Most int // unless 0, it keeps the end of what is written: Most bytes or less, and at least half of them

	mu   sync.Mutex
	text bytes.Buffer
	size int64
}

// Write appends.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size += int64(len(p))
	b.text.Write(p)
	if b.Most > 0 && b.text.Len() > b.Most {
		b.text.Next(b.text.Len() - b.Most/2)
	}
	return len(p), nil
}

// String is what was written, or the end of it.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Take is what was written since it was last taken.
func (b *Buffer) Take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// Size is how many bytes were written in all.
func (b *Buffer) Size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size
}
