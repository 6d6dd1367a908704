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
// vanish at any time: who opens it tries again then.
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
	if _, err := os.Stat(path); err == nil {
		err := f.verified(ctx, path, o, path, true)
		if err == nil || ctx.Err() != nil {
			return path, err
		}
		f.log.WarnContext(ctx, "the copy in the cache is damaged; downloading again", "source", uri, "err", err)
	}
	err = f.download(ctx, at, o, path)
	if blob.Is(err, blob.Corrupt) { // it may have happened on the way
		err = f.download(ctx, at, o, path)
	}
	return path, err
}

func (f *Files) download(ctx context.Context, at place, o *object, path string) error {
	temp, err := f.tempFile()
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	started := time.Now()
	if err := f.fetch(ctx, at, o, temp); err != nil {
		return err
	}
	if err := f.finish(temp, path, 0o444, o); err != nil {
		return err
	}
	f.log.DebugContext(ctx, "downloaded", "source", at.store.URI(at.key), "file", path, "took", time.Since(started))
	return nil
}

// finish publishes a temporary file that holds the object under its path.
func (f *Files) finish(temp *os.File, path string, mode fs.FileMode, o *object) error {
	if err := temp.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return cacheError(err)
	}
	if err := temp.Close(); err != nil {
		return cacheError(err)
	}
	err := os.Rename(temp.Name(), path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.Rename(temp.Name(), path)
		}
	}
	if err != nil {
		return cacheError(err)
	}
	if info, err := os.Stat(path); err == nil {
		f.hashes.put(stampOf(info).key(), o.sum, true)
	}
	return nil
}

// fetch writes an object to a file, from a file of this machine or from afar.
func (f *Files) fetch(ctx context.Context, at place, o *object, w *os.File) error {
	if o.data != nil {
		_, err := w.Write(o.data)
		return cacheError(err)
	}
	if at.path != "" || at.store != nil && at.store.IsLocal() {
		path, err := f.localFile(ctx, o)
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return gone(o.where(), err)
		}
		defer file.Close()
		done, err := f.cpu.take(ctx)
		if err != nil {
			return err
		}
		defer done()
		_, err = io.Copy(w, file)
		return cacheError(err)
	}
	done, err := f.net.take(ctx)
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

func cacheError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("cache of sources: %w; make room there, or choose another cache folder", err)
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
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
