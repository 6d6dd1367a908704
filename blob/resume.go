package blob

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// resuming wraps the body of a Get: if the connection breaks, it goes on at the
// next byte.
func (r retrying) resuming(ctx context.Context, key string, part Range, body io.ReadCloser, info Info) io.ReadCloser {
	left := max(info.Size-part.Offset, 0)
	if part.Length > 0 {
		left = min(left, part.Length)
	}
	return &resumed{retrying: r, ctx: ctx, key: key, version: info.Version, next: part.Offset, left: left, body: body}
}

type resumed struct {
	retrying
	ctx     context.Context // of the Get: a body has none of its own
	key     string
	version Version
	next    int64 // offset of the next byte
	left    int64 // bytes to come
	vain    int   // tries since the last byte came
	body    io.ReadCloser
	err     error
}

func (b *resumed) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	for {
		n, err := b.body.Read(p)
		b.next += int64(n)
		b.left -= int64(n)
		if n > 0 {
			b.vain = 0
		}
		if err == io.EOF && b.left > 0 {
			err = &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf("%w, %d bytes short", io.ErrUnexpectedEOF, b.left)}
		}
		switch {
		case err == nil || err == io.EOF:
			return n, err
		case !interrupted(err) || b.ctx.Err() != nil || b.vain >= b.policy.withDefaults().Tries:
			b.err = err
			return n, err
		case b.left <= 0: // only the end of the stream was lost
			b.err = io.EOF
			return n, io.EOF
		}
		b.vain++
		if b.err = b.again(); b.err != nil || n > 0 {
			return n, b.err
		}
	}
}

// interrupted reports whether asking again may bring the rest of a body.
func interrupted(err error) bool { return transient(err) || errors.Is(err, io.ErrUnexpectedEOF) }

func (b *resumed) again() error {
	b.body.Close()
	b.body = errorBody{io.ErrClosedPipe} // until there is another
	var body io.ReadCloser
	var info Info
	err := b.policy.Do(b.ctx, func() (err error) {
		body, info, err = b.inner.Get(b.ctx, b.key, Range{Offset: b.next, Length: b.left})
		return err
	})
	if err != nil {
		return err
	}
	b.body = body
	if info.Version != b.version {
		return &driver.Error{Kind: driver.Mismatch, Err: errors.New("the blob was replaced while it was read; read it again")}
	}
	return nil
}

func (b *resumed) Close() error { return b.body.Close() }

type errorBody struct{ err error }

func (b errorBody) Read([]byte) (int, error) { return 0, b.err }
func (b errorBody) Close() error             { return nil }
