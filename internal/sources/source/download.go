package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
	"github.com/TrilliantHealth/mops-go/internal/base/sparse"
)

// A service gives one connection some 60 MB/s, so large objects come in ranges
// side by side, of a size that Amazon advises ("Performance Guidelines for
// Amazon S3", use byte-range fetches: 8 or 16 MB).
const parallelRanges = 8

var rangeSize int64 = 8 << 20 // in bytes; smaller in tests

// download brings an object from another machine to a path on the cache's file
// system, verified. It goes on at the point where an earlier download ended,
// even in a process that was killed. If another process is downloading the
// object, it waits for that; the error is then localcache.ErrOvertaken.
func (f *fetcher) download(ctx context.Context, at place, o *object, path string, mode fs.FileMode) error {
	started := time.Now()
	p, err := f.cache.FilePart(ctx, f.cachePath(o.sum))
	if err != nil {
		return err
	}
	useful := false
	defer func() { p.Close(useful) }()
	if err := (&download{f, at, o, p}).twice(ctx); err != nil {
		useful = !errors.Is(err, ErrCache) && o.size != unknownSize && p.Complete(o.size) > 0
		return err
	}
	if err := f.finish(p.File, path, mode, o); err != nil {
		return err
	}
	f.log.DebugContext(ctx, "downloaded", "source", at.store.URI(at.key), "file", path, "took", time.Since(started))
	return nil
}

// download completes a part with an object of another machine.
type download struct {
	f  *fetcher
	at place
	o  *object
	p  *localcache.Part
}

func (d *download) twice(ctx context.Context) error {
	again := false
	return d.f.twice(ctx, d.at, func() error {
		if again { // nobody can tell which of the ranges is wrong
			if err := d.p.Truncate(0); err != nil {
				return localcache.Failure(err)
			}
		}
		again = true
		err := d.fill(ctx)
		if blob.Is(err, blob.Mismatch) { // somebody wrote over it, most likely the same content
			err = d.fill(ctx)
		}
		return err
	})
}

// twice calls read again after content that is not what was stored: it may have
// gone wrong on the way, or on our disk, so only a second failure proves that
// the store is to blame.
func (f *fetcher) twice(ctx context.Context, at place, read func() error) error {
	err := read()
	if !blob.Is(err, blob.Corrupt) {
		return err
	}
	f.log.WarnContext(ctx, "what came is not what was stored; reading it again", "source", at.store.URI(at.key), "err", err)
	if err = read(); blob.Is(err, blob.Corrupt) {
		f.setDamaged(ctx, at)
	}
	return err
}

func (d *download) fill(ctx context.Context) error {
	if d.o.size == unknownSize || d.o.size <= rangeSize {
		if err := d.p.Truncate(0); err != nil {
			return localcache.Failure(err)
		}
		return d.f.fetch(ctx, d.at, d.o, d.p.File)
	}
	return d.ranges(ctx)
}

// ranges fetches the missing ranges side by side. It hashes them in order, from
// the file, as they become complete.
func (d *download) ranges(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var fetching sync.WaitGroup
	defer fetching.Wait()
	defer cancel()
	type ahead struct {
		end  int64
		done chan error
	}
	var window []ahead
	complete := d.p.Complete(d.o.size)
	if err := d.p.Truncate(complete); err != nil { // what was begun would show through holes
		return localcache.Failure(err)
	}
	if err := d.p.SetComplete(complete, d.o.size); err != nil {
		return err
	}
	sum := fileSum{file: d.p.File, hash: sha256.New()}
	for next := complete; complete < d.o.size; {
		for len(window) < parallelRanges && next < d.o.size {
			start, a := next, ahead{min(next+rangeSize, d.o.size), make(chan error, 1)}
			fetching.Go(func() { a.done <- d.part(ctx, start, a.end) })
			window, next = append(window, a), a.end
		}
		if err := sum.to(ctx, complete); err != nil {
			return err
		}
		first := window[0]
		window = window[1:]
		if err := <-first.done; err != nil {
			return err
		}
		complete = first.end
		if err := d.p.SetComplete(complete, d.o.size); err != nil {
			return err
		}
	}
	if err := sum.to(ctx, d.o.size); err != nil {
		return err
	}
	if got := Hash(sum.hash.Sum(nil)); got != d.o.sum {
		return d.o.corrupt(d.at.store.URI(d.at.key), "SHA-256 "+got.String())
	}
	return localcache.Failure(d.p.Truncate(d.o.size))
}

// fileSum is the hash of a file so far.
type fileSum struct {
	file   *os.File
	hash   hash.Hash
	hashed int64
}

// to hashes up to an offset. An earlier process may have left much to hash.
func (s *fileSum) to(ctx context.Context, end int64) error {
	for s.hashed < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(rangeSize, end-s.hashed)
		if _, err := copyContent(s.hash, io.NewSectionReader(s.file, s.hashed, n)); err != nil {
			return localcache.Failure(err)
		}
		s.hashed += n
	}
	return nil
}

// part writes a range of an object to its place in the part.
func (d *download) part(ctx context.Context, start, end int64) error {
	ctx, done, err := d.f.net.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	body, _, err := d.f.get(ctx, d.at, d.o, blob.Range{Offset: start, Length: end - start})
	if err != nil {
		return err
	}
	defer body.Close()
	n, err := copyContent(sparse.New(d.p.File, start), io.LimitReader(body, end-start))
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == d.p.Name() {
		return localcache.Failure(err)
	}
	if err == nil && n != end-start {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("source %s: bytes %d to %d: %w", d.at.store.URI(d.at.key), start, end, err)
	}
	return nil
}
