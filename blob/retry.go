package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// maxReplay is how much of a body that cannot be rewound is kept in memory, in
// bytes, in order to send it again.
const maxReplay = 1 << 20

// maxResolve is the largest blob, in bytes, that is read back to see who wrote
// it.
const maxResolve = 16 << 20

// Retry returns a store that tries again if s reports Throttled or Unavailable,
// within the caller's context; see [RetryPolicy.Do].
//
// It resolves a conditional put whose acknowledgement was lost: if a later try
// finds the condition broken, but the blob holds exactly the bytes of this put,
// the put has succeeded. That is right as long as no two writers put equal
// bytes, which a nonce in the record ensures. For a blob of more than 16 MiB,
// Retry reports the broken condition, though the blob may be the caller's own:
// a caller that puts that much looks at the blob itself.
//
// After Invalid or Denied it asks once more, at once: one wrong bit in one
// answer must not be the end.
//
// The body of a Get that breaks goes on at the next byte, as long as the blob
// is the same. A put is not tried again if its body is over 1 MiB and no
// io.Seeker.
func Retry(s *Store, policy RetryPolicy) *Store {
	policy.tell = policy.teller(s.root)
	return s.Over(retrying{s.driver, policy})
}

type retrying struct {
	inner  driver.Store
	policy RetryPolicy
}

// do is RetryPolicy.Do for operations whose refusals may have been garbled.
func (r retrying) do(ctx context.Context, try func() error) error {
	return r.policy.Do(ctx, func() error {
		err := try()
		if (Is(err, Invalid) || Is(err, Denied)) && ctx.Err() == nil {
			err = try()
		}
		return err
	})
}

func (r retrying) Put(ctx context.Context, key string, body io.Reader, size int64, opts PutOptions) (info Info, err error) {
	replay, err := replayable(body, size)
	if err != nil {
		return Info{}, err
	}
	if replay.rewind == nil {
		return r.inner.Put(ctx, key, replay.body, size, opts)
	}
	conditional := opts.IfAbsent || opts.IfVersion != ""
	perhaps := false // an earlier try may have succeeded
	within := r.policy.telling(ctx)
	err = r.do(ctx, func() error {
		if err := replay.rewind(); err != nil {
			return err
		}
		var err error
		info, err = r.inner.Put(within, key, replay.body, size, opts)
		switch KindOf(err) {
		case Unavailable, Invalid, Denied:
			perhaps = true
		case Exists, Mismatch:
			if conditional && perhaps && size <= maxResolve {
				info, err = r.resolve(ctx, key, replay, err)
			}
		}
		return err
	})
	return info, err
}

// resolve finds out whether a blob holds the bytes of our put. It returns
// refusal if not, or if finding out would take long.
func (r retrying) resolve(ctx context.Context, key string, ours replay, refusal error) (Info, error) {
	body, info, err := r.inner.Get(ctx, key, Range{})
	switch {
	case Is(err, NotFound):
		return Info{}, refusal
	case err != nil:
		return Info{}, err
	}
	defer body.Close()
	if info.Size > maxResolve {
		return Info{}, refusal
	}
	if err := ours.rewind(); err != nil {
		return Info{}, err
	}
	wanted, stored := sha256.New(), sha256.New()
	size, err := io.Copy(wanted, ours.body)
	if err != nil {
		return Info{}, err
	}
	if size != info.Size {
		return Info{}, refusal
	}
	if _, err := io.Copy(stored, body); err != nil {
		return Info{}, &driver.Error{Kind: Unavailable, Err: err}
	}
	if !bytes.Equal(wanted.Sum(nil), stored.Sum(nil)) {
		return Info{}, refusal
	}
	return info, nil
}

// replay is a body that can be read again if rewind is not nil.
type replay struct {
	body   io.Reader
	rewind func() error
}

func replayable(body io.Reader, size int64) (replay, error) {
	if seeker, ok := body.(io.Seeker); ok {
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil { // a pipe is a Seeker, too
			return replay{body, func() error { _, err := seeker.Seek(start, io.SeekStart); return err }}, nil
		}
	}
	if size > maxReplay {
		return replay{body: body}, nil
	}
	begin, err := io.ReadAll(io.LimitReader(body, maxReplay+1))
	if err != nil {
		return replay{}, fmt.Errorf("cannot read what to store: %w", err)
	}
	if len(begin) > maxReplay {
		return replay{body: io.MultiReader(bytes.NewReader(begin), body)}, nil
	}
	whole := bytes.NewReader(begin)
	return replay{whole, func() error { _, err := whole.Seek(0, io.SeekStart); return err }}, nil
}

func (r retrying) Get(ctx context.Context, key string, part Range) (body io.ReadCloser, info Info, err error) {
	err = r.do(ctx, func() (err error) { body, info, err = r.inner.Get(ctx, key, part); return err })
	if err != nil {
		return nil, info, err
	}
	return r.resuming(ctx, key, part, body, info), info, nil
}

func (r retrying) Stat(ctx context.Context, key string) (info Info, err error) {
	err = r.do(ctx, func() (err error) { info, err = r.inner.Stat(ctx, key); return err })
	return info, err
}

// List goes on where it was interrupted. Each blob that comes starts the count
// of tries anew.
func (r retrying) List(ctx context.Context, prefix, startAt string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		last, stopped := "", false
		for again := true; again; {
			again = false
			err := r.do(ctx, func() error {
				from := max(startAt, last)
				for info, err := range r.inner.List(ctx, prefix, from) {
					if err != nil {
						if again { // some blobs came, so this try was not in vain
							return nil
						}
						return err
					}
					if last != "" && info.Key == last {
						continue
					}
					last, again = info.Key, true
					if !yield(info, nil) {
						stopped = true
						return nil
					}
				}
				again = false
				return nil
			})
			if stopped {
				return
			}
			if err != nil {
				yield(Info{}, err)
				return
			}
		}
	}
}

func (r retrying) Delete(ctx context.Context, key string) error {
	return r.do(ctx, func() error { return r.inner.Delete(ctx, key) })
}

func (r retrying) Close() error { return r.inner.Close() }

// The rest is called only if the inner store can do it; see driver.Like.

func (r retrying) Slurp(ctx context.Context, key string, buf []byte, limit int64) (data []byte, info Info, err error) {
	err = r.do(ctx, func() (err error) {
		data, info, err = r.inner.(driver.Slurper).Slurp(ctx, key, buf, limit)
		return err
	})
	return data, info, err
}

func (r retrying) Now(ctx context.Context) (now time.Time, err error) {
	err = r.do(ctx, func() (err error) { now, err = r.inner.(driver.Clock).Now(ctx); return err })
	return now, err
}

func (r retrying) LocalPath(ctx context.Context, key string) (path string, err error) {
	err = r.do(ctx, func() (err error) { path, err = r.inner.(driver.Local).LocalPath(ctx, key); return err })
	return path, err
}

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
