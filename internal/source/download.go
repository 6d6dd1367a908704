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
	"github.com/TrilliantHealth/mops-go/internal/localcache"
)

// A service gives one connection some 60 MB/s, so what is large comes in ranges
// side by side, of a size that Amazon advises ("Performance Guidelines for
// Amazon S3", use byte-range fetches: 8 or 16 MB).
const parallelRanges = 8

var rangeSize int64 = 8 << 20 // in bytes; tests make do with less

// download brings an object from another machine to a path on the cache's file
// system, verified. It goes on where an earlier download ended, also one of a
// process that was killed, and waits for one of another process. It is
// errOvertaken when that one is done.
func (f *Files) download(ctx context.Context, at place, o *object, path string, mode fs.FileMode) error {
	started := time.Now()
	p, err := f.cache.FilePart(ctx, f.cachePath(o.sum))
	if err != nil {
		return err
	}
	useful := false
	defer func() { p.Close(useful) }()
	if err := f.fillTwice(ctx, at, o, p); err != nil {
		useful = !errors.Is(err, ErrCache) && o.size != unknownSize && p.Complete(o.size) > 0
		return err
	}
	if err := f.finish(p.File, path, mode, o); err != nil {
		return err
	}
	f.log.DebugContext(ctx, "downloaded", "source", at.store.URI(at.key), "file", path, "took", time.Since(started))
	return nil
}

// fillTwice makes a part complete.
func (f *Files) fillTwice(ctx context.Context, at place, o *object, p *localcache.Part) error {
	again := false
	return f.twice(ctx, at, func() error {
		if again { // which of the ranges is wrong, nobody can tell
			if err := p.Truncate(0); err != nil {
				return localcache.Failure(err)
			}
		}
		again = true
		err := f.fill(ctx, at, o, p)
		if blob.Is(err, blob.Mismatch) { // somebody wrote it over, most likely with the same
			err = f.fill(ctx, at, o, p)
		}
		return err
	})
}

// twice calls read again where what came is not what was stored: it may have gone
// wrong on the way, or on our disk, so only if it is so twice, the store is to blame.
func (f *Files) twice(ctx context.Context, at place, read func() error) error {
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

func (f *Files) fill(ctx context.Context, at place, o *object, p *localcache.Part) error {
	if o.size == unknownSize || o.size <= rangeSize {
		if err := p.Truncate(0); err != nil {
			return localcache.Failure(err)
		}
		return f.fetch(ctx, at, o, io.NewOffsetWriter(p, 0))
	}
	return f.fillRanges(ctx, at, o, p)
}

// fillRanges fetches what is missing in ranges side by side. They are hashed in
// order, from the file, as they become complete.
func (f *Files) fillRanges(ctx context.Context, at place, o *object, p *localcache.Part) error {
	ctx, cancel := context.WithCancel(ctx)
	var fetching sync.WaitGroup
	defer fetching.Wait()
	defer cancel()
	type ahead struct {
		end  int64
		done chan error
	}
	var window []ahead
	complete := p.Complete(o.size)
	if err := p.SetComplete(complete, o.size); err != nil {
		return err
	}
	sum := fileSum{file: p.File, hash: sha256.New()}
	for next := complete; complete < o.size; {
		for len(window) < parallelRanges && next < o.size {
			start, a := next, ahead{min(next+rangeSize, o.size), make(chan error, 1)}
			fetching.Go(func() { a.done <- f.fetchRange(ctx, at, o, p, start, a.end) })
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
		if err := p.SetComplete(complete, o.size); err != nil {
			return err
		}
	}
	if err := sum.to(ctx, o.size); err != nil {
		return err
	}
	if got := Hash(sum.hash.Sum(nil)); got != o.sum {
		return o.corrupt(at.store.URI(at.key), "SHA-256 "+got.String())
	}
	return localcache.Failure(p.Truncate(o.size))
}

// fileSum is the hash of a file, as far as it goes.
type fileSum struct {
	file   *os.File
	hash   hash.Hash
	hashed int64
}

// to hashes up to an offset. What an earlier process left may be much.
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

// fetchRange writes a range of an object to its place in the part.
func (f *Files) fetchRange(ctx context.Context, at place, o *object, p *localcache.Part, start, end int64) error {
	ctx, done, err := f.net.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	uri := at.store.URI(at.key)
	body, info, err := at.store.Get(ctx, at.key, blob.Range{Offset: start, Length: end - start})
	if blob.Is(err, blob.NotFound) {
		return f.gone(uri, err)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	if info.Size != o.size {
		return o.corrupt(uri, fmt.Sprintf("%d bytes", info.Size))
	}
	n, err := copyContent(io.NewOffsetWriter(p, start), io.LimitReader(body, end-start))
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == p.Name() {
		return localcache.Failure(err)
	}
	if err == nil && n != end-start {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("source %s: bytes %d to %d: %w", uri, start, end, err)
	}
	return nil
}
