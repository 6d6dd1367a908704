package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
)

// Bytes is a file whose content lies in the memory of this process: a copy of
// data.
func Bytes(data []byte) *Ref {
	data = append([]byte{}, data...) // nil would say that it is not in memory
	return &Ref{content: fileContent(object{sum: sha256.Sum256(data), size: int64(len(data)), data: data})}
}

// bytes are the content of a file that lies in memory; nil for any other source.
func (r *Ref) bytes() []byte {
	if c := r.snapshot(); c != nil && c.id.Kind == KindFile {
		return c.file.data
	}
	return nil
}

// memoryFile reads content that lies in memory.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

// dumped is the copy in the cache of an object that lies in memory, for those
// who need a path.
func (f *fetcher) dumped(ctx context.Context, o *object) (string, error) {
	if f.cache.Dir == "" {
		return "", errors.New("source: its bytes are in memory, and there is no cache folder to write them to: set one, or use Open")
	}
	return f.cached(ctx, o, func(path string) error {
		p, err := f.cache.FilePart(ctx, path)
		if err != nil {
			return err
		}
		defer p.Close(false)
		if err := p.Truncate(0); err != nil {
			return localcache.Failure(err)
		}
		if _, err := io.Copy(io.NewOffsetWriter(p, 0), bytes.NewReader(o.data)); err != nil {
			return localcache.Failure(err)
		}
		return f.finish(p.File, path, 0o444, o)
	})
}
