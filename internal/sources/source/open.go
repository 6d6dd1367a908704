package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// Open opens a file for reading. It first downloads content from another
// machine to the cache, once, and verifies it.
func (r *Ref) Open(ctx context.Context) (io.ReadSeekCloser, error) {
	if data := r.bytes(); data != nil {
		return memoryFile{bytes.NewReader(data)}, nil
	}
	file, err := r.openFile(ctx)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (r *Ref) openFile(ctx context.Context) (*os.File, error) {
	f, c, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	if c == nil { // of this machine
		file, err := openfile.Regular(r.path)
		if err != nil {
			return nil, filehash.Readable(r.path, err)
		}
		return file, nil
	}
	if c.id.Kind == KindDir {
		return nil, fmt.Errorf("source %s: a folder cannot be opened: use Path", r)
	}
	return f.openLocal(ctx, &c.file)
}

// OpenRange opens a part of a file: n bytes from off, fewer at the end; a
// negative n means up to the end. It transfers only that part, so it cannot
// verify it unless the file is on this machine or in the cache.
func (r *Ref) OpenRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if off < 0 {
		return nil, fmt.Errorf("source %s: a range cannot start at %d", r, off)
	}
	if data := r.bytes(); data != nil {
		return io.NopCloser(section(bytes.NewReader(data), off, n)), nil
	}
	f, c, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	if c != nil && c.id.Kind == KindFile {
		at, err := f.placeOfObject(ctx, &c.file)
		if err != nil {
			return nil, err
		}
		if at.store != nil && !at.store.IsLocal() && !f.inCache(c.file.sum) {
			return f.openRemoteRange(ctx, at, &c.file, off, n)
		}
	}
	file, err := r.openFile(ctx)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{section(file, off, n), file}, nil
}

// section is a part of what can be read at any place; see OpenRange.
func section(of io.ReaderAt, off, n int64) io.Reader {
	if n < 0 {
		n = 1<<63 - 1 - off
	}
	return io.NewSectionReader(of, off, n)
}

func (f *fetcher) openRemoteRange(ctx context.Context, at place, o *object, off, n int64) (io.ReadCloser, error) {
	if n == 0 || off >= o.size { // nothing to read, but the file should be there
		return io.NopCloser(strings.NewReader("")), f.check(ctx, o)
	}
	var body io.ReadCloser
	err := f.twice(ctx, at, func() (err error) {
		body, _, err = f.get(ctx, at, o, blob.Range{Offset: off, Length: max(n, 0)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Path is a file or folder of this machine with the content. It is for reading
// only: it may be the store's own. Content from another machine is first
// downloaded to the cache, once, and verified; there it stays until ctx ends,
// and for at least an hour, unless somebody deletes the cache.
func (r *Ref) Path(ctx context.Context) (string, error) {
	f, c, err := r.known(ctx)
	if err != nil {
		return "", err
	}
	if c == nil {
		info, err := os.Stat(r.path)
		if err != nil {
			return "", filehash.Readable(r.path, err)
		}
		if r.want == KindDir && !info.IsDir() {
			return "", fmt.Errorf("source %s: this is a file: use File", r.path)
		}
		if r.want == KindFile {
			return r.path, filehash.Regular(r.path, info)
		}
		return r.path, nil
	}
	return f.cache.Hold(ctx, func() (string, error) {
		if c.id.Kind == KindDir {
			return f.trees.tree(ctx, c)
		}
		return f.localFile(ctx, &c.file)
	})
}

// known is the environment and content of a source that is not a file or folder
// of this machine; c is nil for one that is.
func (r *Ref) known(ctx context.Context) (f *Files, c *content, err error) {
	if r.bad != nil {
		return nil, nil, r.bad
	}
	if r.path != "" {
		return nil, nil, nil
	}
	r.mu.Lock()
	f, c = r.files, r.content
	r.mu.Unlock()
	if f == nil {
		return nil, nil, fmt.Errorf("source %s: it belongs to no environment yet: open it with a context that has one", r)
	}
	if c == nil {
		if c, err = f.find(ctx, r); err == nil {
			r.set(f, c)
		}
	}
	return f, c, err
}

func (f *fetcher) inCache(sum Hash) bool {
	if f.cache.Dir == "" {
		return false
	}
	_, err := os.Stat(f.cachePath(sum))
	return err == nil
}

// Check asks whether the bytes of each source are still where they were stored,
// with the right size, without reading them. For a folder it asks for each
// file.
func (f *Files) Check(ctx context.Context, refs []*Ref) error {
	return f.each(ctx, refs, func(ctx context.Context, _ int, r *Ref) error {
		files, c, err := r.known(ctx)
		if err != nil {
			return err
		}
		if c == nil {
			_, err := r.Path(ctx)
			return err
		}
		if c.id.Kind == KindFile {
			return files.check(ctx, &c.file)
		}
		if c, err = files.unfold(ctx, c); err != nil {
			return err
		}
		for i := range c.objects {
			if err := files.check(ctx, &c.objects[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fetcher) check(ctx context.Context, o *object) error {
	at, err := f.placeOfObject(ctx, o)
	if err != nil {
		return err
	}
	if at.path != "" {
		return f.verified(ctx, at.path, o, o.where(), false)
	}
	if at.store == nil {
		return nil
	}
	return f.twice(ctx, at, func() error {
		info, err := at.store.Stat(ctx, at.key)
		if blob.Is(err, blob.NotFound) {
			return f.gone(at.store.URI(at.key), err)
		}
		if err == nil && o.size != unknownSize && info.Size != o.size {
			err = o.corrupt(at.store.URI(at.key), fmt.Sprintf("%d bytes", info.Size))
		}
		return err
	})
}
