package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// cached is the copy of an object in the cache, downloaded if need be. It may
// vanish at any time, see keepUntil: who opens it tries again then.
func (f *Files) cached(ctx context.Context, at place, o *object) (string, error) {
	hash, uri := o.sum.String(), at.store.URI(at.key)
	if f.cacheDir == "" {
		return "", fmt.Errorf("source %s: there is no cache folder to download it to: set one, or read parts of it with OpenRange", uri)
	}
	done, err := f.turns.take(ctx, "cache "+hash)
	if err != nil {
		return "", err
	}
	defer done()
	path := f.cachePath(o.sum)
	for range mostTries {
		if has, err := f.has(ctx, o); err != nil || has {
			return path, err
		}
		err := f.download(ctx, at, o, path, 0o444)
		if errors.Is(err, errOvertaken) {
			continue
		}
		if err == nil {
			f.makeRoom(ctx, path, o.size)
		}
		return path, err
	}
	return "", cacheError(errOvertaken)
}

// has reports whether the cache has an object, which counts as a use. What lies
// there and is no copy of it is removed.
func (f *Files) has(ctx context.Context, o *object) (bool, error) {
	path := f.cachePath(o.sum)
	switch info, err := os.Lstat(path); {
	case err != nil:
		return false, nil
	case !info.Mode().IsRegular():
		return false, f.discard(path)
	}
	err := f.verified(ctx, path, o, path, true)
	switch {
	case err == nil:
		f.touch(path)
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case blob.Is(err, blob.Corrupt):
		f.log.WarnContext(ctx, "a copy in the cache is damaged; downloading again", "err", err)
		return false, f.discard(path)
	}
	return false, nil
}

// finish publishes a file that holds the object under its path. The file is
// closed then.
func (f *Files) finish(file *os.File, path string, mode fs.FileMode, o *object) error {
	if err := file.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return cacheError(err)
	}
	if !isAt(file, file.Name()) {
		return errOvertaken
	}
	err := os.Rename(file.Name(), path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.Rename(file.Name(), path)
		}
	}
	if err != nil {
		return cacheError(err)
	}
	s, statErr := fileStamp(file) // of what was verified, whatever is at the path by now
	if err := file.Close(); err != nil {
		os.Remove(path)
		return cacheError(err)
	}
	if statErr == nil {
		f.remember(s, o.sum)
	}
	return nil
}

// fetch writes an object, from a file of this machine or from afar.
func (f *Files) fetch(ctx context.Context, at place, o *object, w io.Writer) error {
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
		_, err = io.Copy(w, file)
		return cacheError(err)
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
	buffer := bufferPool.Get().(*[bufferSize]byte)
	defer bufferPool.Put(buffer)
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, body, buffer[:])
	if body.err != nil {
		return body.err
	}
	return cacheError(err)
}

// cacheFailure is what went wrong with the cache itself.
type cacheFailure struct{ err error }

func (e *cacheFailure) Error() string {
	return fmt.Sprintf("cache of sources: %v; make room there, or choose another cache folder with MOPS_CACHE", e.err)
}

func (e *cacheFailure) Unwrap() error { return e.err }

// ErrCache says that it is the cache folder of this machine that failed: on
// another machine the same may succeed.
var ErrCache = errors.New("the cache of sources failed")

func (e *cacheFailure) Is(target error) bool { return target == ErrCache }

func cacheError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &cacheFailure{err}
}

func (f *Files) tempFile() (*os.File, error) {
	dir, err := f.tempDir()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "file-*")
	return file, cacheError(err)
}

// staleAfter is when what a killed process left behind is removed.
const staleAfter = 24 * time.Hour

// tempDir is where what is not complete yet lies, on the cache's file system.
func (f *Files) tempDir() (string, error) {
	dir := filepath.Join(f.cacheDir, "tmp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", cacheError(err)
	}
	f.sweep.Do(func() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
				os.RemoveAll(filepath.Join(dir, e.Name()))
			}
		}
	})
	return dir, nil
}

func (f *Files) cachePath(sum Hash) string {
	hash := sum.String()
	return filepath.Join(f.cacheDir, "sha256", hash[:2], hash)
}

func (f *Files) treePath(manifest Hash) string {
	return filepath.Join(f.cacheDir, "trees", manifest.String())
}
