package source

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
	"github.com/TrilliantHealth/mops-go/internal/base/sparse"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// downloaded is the copy in the cache of an object of another machine.
func (f *fetcher) downloaded(ctx context.Context, at place, o *object) (string, error) {
	if f.cache.Dir == "" {
		return "", fmt.Errorf("source %s: there is no cache folder to download it to: set one, or read parts of it with OpenRange", at.store.URI(at.key))
	}
	return f.cached(ctx, o, func(path string) error { return f.download(ctx, at, o, path, 0o444) })
}

// cached is the copy of an object in the cache, which add puts there if need be.
// It may vanish at any time unless it is held: a caller that fails to open it
// tries again.
func (f *fetcher) cached(ctx context.Context, o *object, add func(path string) error) (string, error) {
	done, err := f.turns.take(ctx, "cache "+o.sum.String())
	if err != nil {
		return "", err
	}
	defer done()
	path := f.cachePath(o.sum)
	return path, localcache.Try(func() error {
		if has, err := f.has(ctx, o); err != nil || has {
			return err
		}
		err := add(path)
		if err == nil {
			f.added(path, o.size)
		}
		return err
	})
}

// added counts a new entry.
func (f *fetcher) added(path string, size int64) {
	f.cache.Touch(path)
	f.cache.Added(size)
}

// has reports whether the cache has an object, which counts as a use. It
// removes anything else in the object's place.
func (f *fetcher) has(ctx context.Context, o *object) (bool, error) {
	path := f.cachePath(o.sum)
	switch info, err := os.Lstat(path); {
	case err != nil:
		return false, nil
	case !info.Mode().IsRegular():
		return false, f.cache.Remove(path)
	}
	err := f.verified(ctx, path, o, path, true)
	switch {
	case err == nil:
		f.cache.Touch(path)
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case blob.Is(err, blob.Corrupt):
		f.log.WarnContext(ctx, "a copy in the cache is damaged; downloading again", "err", err)
		return false, f.cache.Remove(path)
	}
	return false, nil
}

// finish publishes a file that holds the object under its path, and closes it.
func (f *fetcher) finish(file *os.File, path string, mode fs.FileMode, o *object) error {
	if err := localcache.Publish(file, path, mode); err != nil {
		return err
	}
	s, statErr := filehash.FileStamp(file) // of the verified file, whatever is at the path by now
	if err := file.Close(); err != nil {
		os.Remove(path)
		return localcache.Failure(err)
	}
	if statErr == nil {
		f.hashes.Remember(s, o.sum)
	}
	return nil
}

// fetch writes an object, from a file of this machine or from another machine, to a
// file that is empty.
func (f *fetcher) fetch(ctx context.Context, at place, o *object, to *os.File) error {
	w := sparse.New(to, 0)
	if at.path != "" || at.store != nil && at.store.IsLocal() {
		file, err := f.openLocal(ctx, o)
		if err != nil {
			return err
		}
		defer file.Close()
		_, done, err := f.cpu.take(ctx)
		if err != nil {
			return err
		}
		defer done()
		if sparse.Dense(file) {
			_, err = io.Copy(to, file) // by the kernel
		} else if _, err = copyContent(w, file); err == nil {
			err = w.Close()
		}
		return localcache.Failure(err)
	}
	ctx, done, err := f.net.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	body, err := f.stream(ctx, at, o)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err = copyContent(w, body); err == nil {
		err = w.Close()
	}
	if body.err != nil {
		return body.err
	}
	return localcache.Failure(err)
}

var buffers = sync.Pool{New: func() any { return new([512 << 10]byte) }}

// copyContent is io.Copy with a large buffer, without the shortcuts of reader
// and writer.
func copyContent(w io.Writer, r io.Reader) (int64, error) {
	buffer := buffers.Get().(*[512 << 10]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buffer[:])
}

// ErrCache says that the cache folder of this machine failed.
var ErrCache = localcache.ErrFailed

// The shelves of the cache: files by hash, in folders by its first two digits,
// and folders of such files by the hash of their manifest.
const (
	shelfOfFiles = "sha256"
	shelfOfTrees = "trees"
)

// usedFor is how long an entry counts as in use after its last use: a caller
// opens the path that it got within that time.
const usedFor = time.Hour

func (f *fetcher) cachePath(sum Hash) string {
	hash := sum.String()
	return filepath.Join(f.cache.Dir, shelfOfFiles, hash[:2], hash)
}

func (f *fetcher) treePath(manifest Hash) string {
	return filepath.Join(f.cache.Dir, shelfOfTrees, manifest.String())
}
