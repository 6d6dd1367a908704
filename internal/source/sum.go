package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/openfile"
)

// ErrChanged says that a file changed, or went, between the moment when it was
// hashed and the moment when it was stored.
var ErrChanged = errors.New("the file changed while it was in use")

func changed(path string, what error) error {
	return fmt.Errorf("source %s: %w (%w); nothing was stored under its name: wait until whoever writes it is done, then call again", path, ErrChanged, what)
}

// bufferSize and buffers: reading and hashing overlap, which is worth 5 to 10 %,
// and the memory of a file being hashed stays at 1.5 MiB.
const (
	bufferSize = 512 << 10
	buffers    = 3
)

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// sumOf hashes all that r yields.
func sumOf(ctx context.Context, r io.Reader) (Hash, int64, error) {
	first := bufferPool.Get().(*[bufferSize]byte)
	n, err := io.ReadFull(r, first[:])
	if err != nil { // all of a small one, or nothing
		defer bufferPool.Put(first)
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			return Hash{}, 0, err
		}
		return sha256.Sum256(first[:n]), int64(n), nil
	}

	type chunk struct {
		buffer *[bufferSize]byte
		n      int
	}
	free, full := make(chan *[bufferSize]byte, buffers), make(chan chunk, buffers)
	for range buffers - 1 {
		free <- bufferPool.Get().(*[bufferSize]byte)
	}
	var failed error // read after full is closed
	full <- chunk{first, n}
	go func() {
		defer close(full)
		for buffer := range free {
			n, err := io.ReadFull(r, buffer[:])
			full <- chunk{buffer, n}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				if err != io.EOF && err != io.ErrUnexpectedEOF {
					failed = err
				}
				return
			}
		}
	}()
	hash := sha256.New()
	var size int64
	for c := range full {
		hash.Write(c.buffer[:c.n])
		size += int64(c.n)
		free <- c.buffer
	}
	for range buffers {
		bufferPool.Put(<-free)
	}
	return Hash(hash.Sum(nil)), size, failed
}

// noSnapshot says that a file has no content that could be known by its hash.
func noSnapshot(path string, size int64) error {
	return fmt.Errorf("source %s: its content is made while it is read, as in /proc, and is not the %d bytes of its size: pass a copy of its content", path, size)
}

// hashFile hashes a file of this machine, unless its stamp is known to the
// cache. A file that is ours alone to write is trusted: its stamp is remembered
// however young, and wherever it lies.
func (f *Files) hashFile(ctx context.Context, path string, trusted bool) (object, error) {
	info, err := os.Stat(path)
	if err != nil {
		return object{}, readable(path, err)
	}
	if err := regular(path, info); err != nil {
		return object{}, err
	}
	before := stampOf(info)
	if !trusted {
		before = stampAt(path, info)
	}
	if sum, ok := f.hashes.get(f.key(before)); ok {
		return object{sum: sum, size: before.size, path: path, stamp: before}, nil
	}
	ctx, done, err := f.cpu.take(ctx)
	if err != nil {
		return object{}, err
	}
	defer done()

	file, err := openFile(path)
	if err != nil {
		return object{}, err
	}
	defer file.Close()
	started := f.now() // before it is settled: what is written from now on makes the stamp a racy one
	if before, err = fileStamp(file); err != nil {
		return object{}, readable(path, err)
	}
	tells := !before.racy(started) && (trusted || f.settle(ctx, file))
	if before, err = fileStamp(file); err != nil {
		return object{}, readable(path, err)
	}
	tells = tells && !before.racy(started)
	sum, size, err := sumOf(ctx, io.LimitReader(file, before.size+1))
	if err != nil {
		return object{}, readable(path, err)
	}
	f.at(hashedFile, path)
	after, err := fileStamp(file)
	switch {
	case err != nil:
		return object{}, readable(path, err)
	case size != before.size && !after.written(before): // reading some changes their times
		return object{}, noSnapshot(path, before.size)
	case after != before:
		return object{}, changed(path, differ(before, after))
	}
	if trusted || tells {
		f.remember(before, sum)
	}
	return object{sum: sum, size: size, path: path, stamp: before, racy: !tells}, nil
}

// openFile opens a file for its content.
func openFile(path string) (*os.File, error) {
	file, err := openfile.Regular(path)
	if err != nil {
		return nil, readable(path, err)
	}
	if generated(file) {
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return nil, readable(path, err)
		}
		return nil, noSnapshot(path, info.Size())
	}
	return file, nil
}

func fileStamp(file *os.File) (stamp, error) {
	pageOut(file) // where this fails, settle does too, and the stamp is not relied on
	info, err := file.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stampOf(info), nil
}

// differ says in which way two stamps differ.
func differ(before, after stamp) error {
	switch {
	case before.size != after.size:
		return fmt.Errorf("%d bytes became %d", before.size, after.size)
	case before.ino != after.ino || before.dev != after.dev:
		return errors.New("another file took its place")
	case before.mtime != after.mtime:
		return fmt.Errorf("it was written to at %s", time.Unix(0, after.mtime).Format(time.RFC3339Nano))
	case before.ctime != after.ctime:
		return fmt.Errorf("it was touched at %s", time.Unix(0, after.ctime).Format(time.RFC3339Nano))
	}
	return errors.New("its content is another")
}

// regular refuses what has no content of its own.
func regular(path string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return fmt.Errorf("source %s: this is a folder: use Dir", path)
	default:
		return irregular(path, mode)
	}
}

func irregular(path string, mode fs.FileMode) error {
	return fmt.Errorf("source %s: this is no regular file but %s, whose content cannot be known: pass a copy of its content", path, openfile.Kind(mode))
}

// readable names the source in an error of the file system and says what to do
// where that is not plain.
func readable(path string, err error) error {
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
	if e, ok := errors.AsType[*openfile.IrregularError](err); ok { // it took the place of a file just now
		return irregular(path, e.Mode)
	}
	if errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("source %s: a symbolic link that leads back to itself: remove it: %w", path, err)
	}
	return fmt.Errorf("source %s: %w", path, err)
}
