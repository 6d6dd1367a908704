package filehash

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// Body is a local file on its way into a store, hashed as it goes. It yields
// exactly the bytes that the file had when its stamp was taken, or fails before
// the last of them. Then the store writes nothing, because it writes whole
// blobs only. So the hash belongs to the bytes that the store got.
type Body struct {
	Sum Sum   // hash of the content, once all was read
	Err error // what was wrong with the file: drivers lose errors

	h     *Hasher
	file  *os.File
	path  string
	stamp Stamp
	want  *Sum // the hash that the content must have, if known

	pos    int64 // of the next Read
	hashed int64 // how much was given to hash
	hash   *sideHash
}

// Body reads an open file with the stamp s. If want is set, the content must
// have that hash. The caller calls End.
func (h *Hasher) Body(file *os.File, path string, s Stamp, want *Sum) *Body {
	return &Body{h: h, file: file, path: path, stamp: s, want: want, hash: &sideHash{hash: sha256.New()}}
}

// End releases what hashing needs. It is not named Close, because drivers call
// Close.
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

// digest hashes what was read at pos, once, however often a driver reads it.
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

// end compares, and returns io.EOF if all is well.
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

// Unchanged fails if an open file is no longer in the state of the stamp.
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
