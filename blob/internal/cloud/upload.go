package cloud

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Sizes of uploads, in bytes.
const (
	// PartSize is the length of a part, unless a blob would have too many: the
	// least that S3 takes, and a multiple of GCS's 256 KiB. The garbage collector
	// lets the heap grow to twice what is in use, so each byte of it costs two
	// for each part under way.
	PartSize = 5 << 20

	// sideBySide is how many parts of one blob are under way, the one that is
	// being read included: as many as AWS's own uploader has, of the same size.
	sideBySide = 5

	// memory bounds the buffers of all uploads of the process.
	memory = 16 * PartSize

	// small blobs do not count there: a lease must not wait for large files.
	small = 256 << 10
)

// Upload is how a service takes a blob.
type Upload struct {
	MaxParts int // that one blob may have

	// Whole stores a blob of up to PartSize bytes. Data is not to be kept.
	Whole func(ctx context.Context, data []byte) (driver.Info, error)

	// Begin starts a blob in parts.
	Begin func(ctx context.Context) (Parts, error)
}

// Parts is a blob that is stored in parts: it is there, whole, after Complete.
type Parts interface {
	// Put stores part n, counted from 1. It is called for several parts at once,
	// and again for a part that failed. Data is not to be kept.
	Put(ctx context.Context, n int, data []byte) error

	// Complete makes the blob out of parts 1 to n, of size bytes in all.
	Complete(ctx context.Context, n int, size int64) (driver.Info, error)

	// Abort forgets the parts. It is called when Complete was not, or has failed.
	Abort(ctx context.Context)
}

// Put stores body, which has size bytes, or -1 where that is not known.
func (u Upload) Put(ctx context.Context, body io.Reader, size int64) (driver.Info, error) {
	if err := ctx.Err(); err != nil {
		return driver.Info{}, err
	}
	length, err := u.partSize(size)
	if err != nil {
		return driver.Info{}, err
	}
	if size >= 0 && size <= PartSize {
		if size > small {
			if err := pool.budget.Acquire(ctx, size); err != nil {
				return driver.Info{}, err
			}
			defer pool.budget.Release(size)
		}
		data := make([]byte, size)
		if err := readExactly(body, data, size); err != nil {
			return driver.Info{}, err
		}
		return u.Whole(ctx, data)
	}
	defer pool.begin()()
	s := &splitter{body: body, size: size, length: length, turns: semaphore.NewWeighted(sideBySide)}
	first, err := s.next(ctx)
	if err != nil {
		return driver.Info{}, err
	}
	if s.ended && size < 0 {
		defer s.free(first)
		return u.Whole(ctx, first)
	}
	parts, err := u.Begin(ctx)
	if err != nil {
		s.free(first)
		return driver.Info{}, err
	}
	info, err := u.inParts(ctx, parts, s, first)
	if err != nil {
		parts.Abort(context.WithoutCancel(ctx))
	}
	return info, err
}

// partSize is the length of the parts, such that there are not too many. Where
// the size is not known, 5 MiB have to do: 48 GiB on S3.
func (u Upload) partSize(size int64) (int64, error) {
	length := int64(PartSize)
	for size > length*int64(u.MaxParts) {
		length *= 2
	}
	if length > memory {
		return 0, &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf("a blob of %d bytes is too large: it would need parts of %d", size, length)}
	}
	return length, nil
}

func (u Upload) inParts(ctx context.Context, parts Parts, s *splitter, next []byte) (driver.Info, error) {
	partsCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, groupCtx := errgroup.WithContext(partsCtx)
	n := 0
	for {
		n++
		if n > u.MaxParts {
			s.free(next)
			cancel()
			group.Wait()
			return driver.Info{}, &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf(
				"a blob of unknown size has more than %d parts of %d bytes: put it with its size", u.MaxParts, s.length)}
		}
		number, now := n, next
		group.Go(func() error {
			defer s.free(now)
			return blob.RetryPolicy{}.Do(groupCtx, func() error { return parts.Put(groupCtx, number, now) })
		})
		if s.ended {
			break
		}
		var err error
		if next, err = s.next(groupCtx); err != nil {
			ended := groupCtx.Err() != nil // by a part that failed, or by the caller
			cancel()
			if failed := group.Wait(); ended && failed != nil {
				err = failed
			}
			return driver.Info{}, err
		}
		if len(next) == 0 { // the last part was a full one
			s.free(next)
			break
		}
	}
	if err := group.Wait(); err != nil {
		return driver.Info{}, err
	}
	return parts.Complete(ctx, n, s.read)
}

// splitter cuts a body into parts.
type splitter struct {
	body   io.Reader
	size   int64 // -1: not known
	length int64 // of a part
	read   int64
	ended  bool
	turns  *semaphore.Weighted // of parts side by side
}

// next reads the next part, empty where the body ended exactly before it.
func (s *splitter) next(ctx context.Context) ([]byte, error) {
	buffer, err := s.buffer(ctx)
	if err != nil {
		return nil, err
	}
	n, err := io.ReadFull(s.body, buffer)
	s.read += int64(n)
	switch {
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		s.ended, err = true, nil
	case err != nil:
		err = unreadable(err)
	case s.size >= 0 && s.read == s.size: // a source says at its end whether it was read right
		s.ended = true
		err = atEnd(s.body, s.size)
	}
	if err == nil && (s.size >= 0 && s.ended && s.read != s.size || s.size >= 0 && s.read > s.size) {
		err = wrongLength(s.read, s.size)
	}
	if err != nil {
		s.free(buffer)
		return nil, err
	}
	return buffer[:n], nil
}

// buffer waits until fewer parts than may be are under way.
func (s *splitter) buffer(ctx context.Context) ([]byte, error) {
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	buffer, err := pool.take(ctx, s.length)
	if err != nil {
		s.turns.Release(1)
	}
	return buffer, err
}

// free ends the use of a part.
func (s *splitter) free(part []byte) {
	pool.giveBack(part[:s.length])
	s.turns.Release(1)
}

// readExactly fills data, and makes sure that nothing follows.
func readExactly(body io.Reader, data []byte, size int64) error {
	n, err := io.ReadFull(body, data)
	switch {
	case err == io.EOF && size == 0:
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return wrongLength(int64(n), size)
	case err != nil:
		return unreadable(err)
	}
	return atEnd(body, size)
}

func atEnd(body io.Reader, size int64) error {
	var more [1]byte
	n, err := io.ReadFull(body, more[:])
	if n > 0 {
		return wrongLength(size+1, size)
	}
	if err != io.EOF {
		return unreadable(err)
	}
	return nil
}

func unreadable(err error) error { return fmt.Errorf("cannot read what to store: %w", err) }

func wrongLength(is, should int64) error {
	return &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf(
		"the body has %d bytes (or more) rather than %d; nothing was written", is, should)}
}

// buffers are those of all uploads of the process. At most memory bytes are in
// use; idle are no more than were in use at once, and none when the last upload
// has ended. A sync.Pool would have one more idle for each processor.
type buffers struct {
	budget *semaphore.Weighted

	mu      sync.Mutex
	uploads int
	idle    [][]byte // of PartSize
}

var pool = buffers{budget: semaphore.NewWeighted(memory)}

// begin counts an upload in, until done is called.
func (b *buffers) begin() (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uploads++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.uploads--; b.uploads == 0 {
			b.idle = nil
		}
	}
}

// take waits for a buffer.
func (b *buffers) take(ctx context.Context, length int64) ([]byte, error) {
	if err := b.budget.Acquire(ctx, length); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if last := len(b.idle) - 1; last >= 0 && length == PartSize {
		buffer := b.idle[last]
		b.idle = b.idle[:last]
		return buffer, nil
	}
	return make([]byte, length), nil
}

func (b *buffers) giveBack(buffer []byte) {
	b.mu.Lock()
	if len(buffer) == PartSize {
		b.idle = append(b.idle, buffer)
	}
	b.mu.Unlock()
	b.budget.Release(int64(len(buffer)))
}
