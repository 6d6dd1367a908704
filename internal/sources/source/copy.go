package source

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/TrilliantHealth/mops-go/internal/base/sparse"
)

// ReadAll is the whole content of a file, verified. The caller may change it.
func (r *Ref) ReadAll(ctx context.Context) ([]byte, error) {
	var data bytes.Buffer
	err := r.whole(ctx, func(body io.Reader) error {
		data.Reset()
		if size := r.Size(); size > 0 {
			data.Grow(int(size) + bytes.MinRead) // so that it need not grow again to see the end
		}
		_, err := data.ReadFrom(body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// CopyTo writes the content of a file, verified, to a path of this machine,
// whole or not at all: what is there stays until all of the new file is on the
// disk.
func (r *Ref) CopyTo(ctx context.Context, path string) (err error) {
	if path == "" {
		return fmt.Errorf("source %s: the path to copy it to is empty", r)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy to %s: %w", path, err)
		}
	}()
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errors.New("this is a folder: name a file in it")
	}
	temp, err := os.OpenFile(path+".mops-"+rand.Text(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // after the rename there is none
	defer temp.Close()
	err = r.whole(ctx, func(body io.Reader) error {
		if err := temp.Truncate(0); err != nil {
			return err
		}
		w := sparse.New(temp, 0)
		if _, err := copyContent(w, body); err != nil {
			return err
		}
		return w.Close()
	})
	if err == nil {
		err = errors.Join(temp.Sync(), temp.Close())
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// whole hands use the whole content of a file, and hands it again if it was
// damaged on its way here. If it is not what its hash says, whole fails after
// use has read it. Content from another machine goes through the cache, if
// there is one, as in read.
func (r *Ref) whole(ctx context.Context, use func(io.Reader) error) error {
	if r.bytes() == nil {
		f, c, err := r.known(ctx)
		if err != nil {
			return err
		}
		if c != nil && c.id.Kind == KindFile && f.cache.Dir == "" {
			at, err := f.placeOfObject(ctx, &c.file)
			if err != nil {
				return err
			}
			if at.store != nil && !at.store.IsLocal() {
				return f.twice(ctx, at, func() error {
					body, err := f.stream(ctx, at, &c.file)
					if err != nil {
						return err
					}
					defer body.Close()
					return use(body)
				})
			}
		}
	}
	body, err := r.Open(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	if err := use(io.TeeReader(untilDone{ctx, body}, sum)); err != nil {
		return err
	}
	c := r.snapshot()
	switch got := Hash(sum.Sum(nil)); {
	case c == nil || got == c.id.Hash:
		return nil
	case r.path != "":
		return fmt.Errorf("source %s: %w: name it anew", r.path, ErrChanged)
	default:
		return c.file.corrupt(r.String(), "SHA-256 "+got.String())
	}
}

// untilDone reads until ctx ends.
type untilDone struct {
	ctx  context.Context
	from io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.from.Read(p)
}
