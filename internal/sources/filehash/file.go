// Package filehash knows the hashes of files on this machine. It hashes a file
// once for each state of the file: a [Stamp] identifies the state, and all
// processes of a user share what was hashed. It also reads files for others
// while it makes sure that they stay unchanged. Package source stands above it.
package filehash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// Options are the settings of a Hasher.
type Options struct {
	// Memory is the file for the hashes known since this machine was started.
	// It may be deleted at any time. If empty, only this process remembers.
	Memory string

	// Warn is told why the memory cannot be used.
	Warn func(error)

	// Slot waits until one more file may be hashed; done ends that.
	Slot func(ctx context.Context) (holding context.Context, done func(), err error)
}

// Moments.
const (
	Hashed = "hashed" // and not yet known to be unchanged
	Copied = "copied"
)

// Hasher hashes files. It is safe for concurrent use.
type Hasher struct {
	Options
	memory *memory

	// Tests may set these before the first use:
	Now    func() time.Time                              // the clock
	Settle func(ctx context.Context, file *os.File) bool // makes the stamp of a file show all later writes
	Boot   string                                        // names this boot of the machine; "" if nothing does
	Moment func(moment, path string)                     // called in the middle of things
}

// New does no I/O, except to read the name of the boot.
func New(opts Options) *Hasher {
	return &Hasher{
		Options: opts, memory: newMemory(opts.Memory, opts.Warn),
		Now: time.Now, Settle: settle, Boot: bootID(), Moment: func(string, string) {},
	}
}

// Close closes the memory's file.
func (h *Hasher) Close() error { return h.memory.close() }

// Remember keeps the hash of a file in a state; for other processes only if the
// boot has a name.
func (h *Hasher) Remember(s Stamp, sum Sum) { h.memory.put(h.key(s), sum, h.Boot != "") }

// Known is the hash of something other than a file, under a name that includes
// its version.
func (h *Hasher) Known(name string) (sum Sum, ok bool) { return h.memory.get(keyOf([]byte(name))) }

// Learn keeps what Known returns; persist says whether for other processes too.
func (h *Hasher) Learn(name string, sum Sum, persist bool) {
	h.memory.put(keyOf([]byte(name)), sum, persist)
}

// File is a file as it was when it was hashed.
type File struct {
	Path  string
	Sum   Sum
	Size  int64
	Stamp Stamp
	Racy  bool // its stamp does not prove its content: it was too young, or not settled
}

// File hashes a local file, unless its stamp is remembered. A trusted file is
// one that only mops writes: its stamp is remembered, however young it is and
// wherever it lies.
func (h *Hasher) File(ctx context.Context, path string, trusted bool) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, Readable(path, err)
	}
	if err := Regular(path, info); err != nil {
		return File{}, err
	}
	before := StampOf(info)
	if !trusted {
		before = stampAt(path, info)
	}
	if sum, ok := h.memory.get(h.key(before)); ok {
		return File{path, sum, before.Size, before, false}, nil
	}
	ctx, done, err := h.Slot(ctx)
	if err != nil {
		return File{}, err
	}
	defer done()

	file, err := Open(path)
	if err != nil {
		return File{}, err
	}
	defer file.Close()
	started := h.Now() // before settling: any later write makes the stamp racy
	if before, err = FileStamp(file); err != nil {
		return File{}, Readable(path, err)
	}
	tells := !before.racy(started) && (trusted || h.Settle(ctx, file))
	if before, err = FileStamp(file); err != nil {
		return File{}, Readable(path, err)
	}
	tells = tells && !before.racy(started)
	sum, size, err := Of(ctx, io.LimitReader(file, before.Size+1))
	if err != nil {
		return File{}, Readable(path, err)
	}
	h.Moment(Hashed, path)
	after, err := FileStamp(file)
	switch {
	case err != nil:
		return File{}, Readable(path, err)
	case size != before.Size && !after.written(before): // reading some files changes their times
		return File{}, noSnapshot(path, before.Size)
	case after != before:
		return File{}, Changed(path, before, after)
	}
	if trusted || tells {
		h.Remember(before, sum)
	}
	return File{path, sum, size, before, !tells}, nil
}

// Open opens a file for its content.
func Open(path string) (*os.File, error) {
	file, err := openfile.Regular(path)
	if err != nil {
		return nil, Readable(path, err)
	}
	if generated(file) {
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return nil, Readable(path, err)
		}
		return nil, noSnapshot(path, info.Size())
	}
	return file, nil
}

// OpenAgain opens a file that was there before: if it is gone, the error is
// ErrChanged.
func OpenAgain(path string) (*os.File, error) {
	file, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, changed(path, fmt.Errorf("it was removed: %w", err))
	}
	return file, err
}

// FileStamp is the stamp of an open file.
func FileStamp(file *os.File) (Stamp, error) {
	pageOut(file) // if this fails, so does Settle, and nobody relies on the stamp
	info, err := file.Stat()
	if err != nil {
		return Stamp{}, err
	}
	return StampOf(info), nil
}
