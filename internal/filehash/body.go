package filehash

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// Body is a file of this machine on its way into a store, hashed as it goes. It
// yields exactly the bytes that the file had when its stamp was taken, or fails
// before the last of them, so that the store, which writes whole blobs only,
// writes nothing. What is hashed is what was handed out.
type Body struct {
	Sum Sum   // what the content has, once all was read
	Err error // what was wrong with the file, for drivers lose errors

	h     *Hasher
	file  *os.File
	path  string
	stamp Stamp
	want  *Sum // what the content must have, if that is known

	pos    int64 // of the next Read
	hashed int64 // how much was given to hash
	hash   *sideHash
}

// Body reads an open file, whose stamp this is, and which must have the hash if
// there is one. The caller ends it.
func (h *Hasher) Body(file *os.File, path string, s Stamp, want *Sum) *Body {
	return &Body{h: h, file: file, path: path, stamp: s, want: want, hash: &sideHash{hash: sha256.New()}}
}

// End lets go of what hashing needs. It is no Close, which drivers call.
func (b *Body) End() { b.hash.Close() }

func (b *Body) Read(p []byte) (int, error) {
	if b.Err != nil {
		return 0, b.Err
	}
	left := b.stamp.Size - b.pos
	if left <= 0 {
		if b.stamp.Size == 0 {
			return 0, b.end()
		}
		return 0, io.EOF
	}
	n, err := b.file.ReadAt(p[:min(int64(len(p)), left)], b.pos)
	switch {
	case err == io.EOF && int64(n) == left:
	case err == io.EOF:
		return 0, b.fail(misfit(b.file, b.path, b.stamp))
	case err != nil:
		return 0, b.fail(Readable(b.path, err))
	}
	if err := b.digest(p[:n]); err != nil {
		return 0, b.fail(Readable(b.path, err))
	}
	b.pos += int64(n)
	if b.pos == b.stamp.Size {
		if err := b.end(); err != io.EOF {
			return 0, err
		}
	}
	return n, nil
}

// digest hashes what was read at pos, once however often a driver reads it.
func (b *Body) digest(p []byte) error {
	if b.hashed < b.pos { // a driver that skips
		if _, err := io.Copy(b.hash, io.NewSectionReader(b.file, b.hashed, b.pos-b.hashed)); err != nil {
			return err
		}
		b.hashed = b.pos
	}
	if end := b.pos + int64(len(p)); end > b.hashed {
		b.hash.Write(p[int64(len(p))-(end-b.hashed):])
		b.hashed = end
	}
	return nil
}

// end compares, and is io.EOF where all is well.
func (b *Body) end() error {
	sum := b.hash.Sum()
	if b.want != nil && sum != *b.want {
		return b.fail(changed(b.path, errors.New("its content is another")))
	}
	b.Sum = sum
	if more, _ := b.file.ReadAt(make([]byte, 1), b.stamp.Size); more > 0 {
		return b.fail(misfit(b.file, b.path, b.stamp))
	}
	if err := b.h.Unchanged(b.file, b.path, b.stamp); err != nil {
		return b.fail(err)
	}
	return io.EOF
}

func (b *Body) fail(err error) error {
	b.Err = err
	return err
}

// Seek lets a driver start again, or ask for the size.
func (b *Body) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.pos
	case io.SeekEnd:
		offset += b.stamp.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d", offset)
	}
	b.pos = offset
	return offset, nil
}

// Unchanged fails if an open file is no longer the one of the stamp.
func (h *Hasher) Unchanged(file *os.File, path string, s Stamp) error {
	h.Moment(Copied, path)
	now, err := FileStamp(file)
	if err != nil {
		return Readable(path, err)
	}
	if now != s {
		return Changed(path, s, now)
	}
	return nil
}

// misfit says why an open file does not hold as much as its stamp says.
func misfit(file *os.File, path string, s Stamp) error {
	now, err := FileStamp(file)
	switch {
	case err != nil:
		return Readable(path, err)
	case !now.written(s):
		return noSnapshot(path, s.Size)
	}
	return Changed(path, s, now)
}

// sideHash hashes what is written to it in a goroutine of its own, so that the
// writer goes on meanwhile. Small content needs none.
type sideHash struct {
	hash    hash.Hash
	filling *[bufferSize]byte
	n       int
	full    chan *[bufferSize]byte // nil until the first buffer was full
	free    chan *[bufferSize]byte
	done    chan struct{}
}

func (h *sideHash) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if h.filling == nil {
			h.filling = h.buffer()
		}
		n := copy(h.filling[h.n:], p)
		h.n, p = h.n+n, p[n:]
		if h.n == bufferSize {
			h.send()
		}
	}
	return written, nil
}

func (h *sideHash) buffer() *[bufferSize]byte {
	if h.full == nil {
		return bufferPool.Get().(*[bufferSize]byte)
	}
	return <-h.free
}

func (h *sideHash) send() {
	if h.full == nil {
		h.full = make(chan *[bufferSize]byte, buffers)
		h.free = make(chan *[bufferSize]byte, buffers)
		h.done = make(chan struct{})
		for range buffers - 1 {
			h.free <- bufferPool.Get().(*[bufferSize]byte)
		}
		go func() {
			defer close(h.done)
			for buffer := range h.full {
				h.hash.Write(buffer[:])
				h.free <- buffer
			}
		}()
	}
	h.full <- h.filling
	h.filling, h.n = nil, 0
}

// Sum waits for the hash of all that was written.
func (h *sideHash) Sum() Sum {
	rest, n := h.filling, h.n
	h.filling, h.n = nil, 0
	h.Close()
	if rest != nil {
		h.hash.Write(rest[:n])
		bufferPool.Put(rest)
	}
	return Sum(h.hash.Sum(nil))
}

// Close ends the goroutine. What was hashed stays.
func (h *sideHash) Close() {
	if h.filling != nil {
		bufferPool.Put(h.filling)
		h.filling = nil
	}
	if h.full == nil {
		return
	}
	close(h.full)
	<-h.done
	for range len(h.free) {
		bufferPool.Put(<-h.free)
	}
	h.full = nil
}
