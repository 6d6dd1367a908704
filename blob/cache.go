package blob

import (
	"bytes"
	"context"
	"io"
	"iter"
	"log/slog"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// CachePolicy says what [Cache] keeps, and where.
type CachePolicy struct {
	// Dir is the folder of the cache, made when it is needed. Any number of stores
	// and processes may share it, and anybody may delete it at any time.
	Dir string

	// Size bounds the whole folder, in bytes: the blobs go first that were not used
	// for longest. Each process that writes at the same time as others may exceed
	// it by a sixteenth. The cache keeps no blob larger than a sixteenth. With 0
	// the cache is off: it reads nothing from the folder and adds nothing to it,
	// and removes from it what is written to the store.
	Size int64

	// Selects decides by its key whether the cache may keep a blob: it should be
	// small, read whole, and practically never written over.
	Selects func(key string) bool

	// Sound decides whether the cache may keep this content of a blob.
	Sound func(key string, content []byte) bool

	// Log gets debug lines and warnings; nil for none.
	Log *slog.Logger
}

// Cache returns a store that answers reads of whole blobs from a folder of this
// machine, without a request to s, if the folder has them. Blobs read from s,
// and those put through the returned store, go into the folder. The cache never
// keeps that a blob is absent, and if anything fails in the folder, the store
// answers.
//
// The cache does not see what others write to the store by other ways. So it is
// for blobs that do not change, and for readers who may see an old state of one
// that did; others use [Fresh].
func Cache(s *Store, policy CachePolicy) *Store {
	c := &caching{inner: s.driver, policy: policy, folder: newCacheFolder(s, policy)}
	cached := s.Over(c)
	cached.cache = c
	return cached
}

type freshKey struct{}

// Fresh returns a context under which a store that [Cache] made reads from the
// store below. If the folder has another state of the blob, that is replaced.
func Fresh(ctx context.Context) context.Context {
	return context.WithValue(ctx, freshKey{}, true)
}

func isFresh(ctx context.Context) bool { return ctx.Value(freshKey{}) != nil }

// ReadCached is ReadAll from this machine's cache alone, if s was made by
// [Cache]: found is false if the blob is not there. It makes no request to the
// store below.
func (s *Store) ReadCached(key string) (content []byte, info Info, found bool) {
	if s.cache == nil || ValidKey(key) != nil || !s.cache.policy.Selects(key) {
		return nil, Info{}, false
	}
	return s.cache.folder.read(key)
}

type caching struct {
	inner  driver.Store
	policy CachePolicy
	folder *cacheFolder
}

// look finds a blob in the cache, unless the context asks for fresh ones.
func (c *caching) look(ctx context.Context, key string) (content []byte, info Info, found bool) {
	if ctx.Err() != nil || isFresh(ctx) {
		return nil, Info{}, false
	}
	return c.folder.read(key)
}

// learn keeps the store's answer about a blob. asked is the number of changes
// when the store was asked.
func (c *caching) learn(ctx context.Context, key string, content []byte, info Info, asked uint64, err error) {
	whole := int64(len(content)) == info.Size && info.Size <= c.folder.largest()
	switch {
	case err == nil && whole && c.policy.Sound(key, content):
		c.folder.keep(key, content, info, asked)
	case isFresh(ctx) && (err == nil || Is(err, NotFound)):
		c.folder.drop(key)
	}
}

func (c *caching) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, Info, error) {
	if !c.policy.Selects(key) {
		return c.inner.(driver.Slurper).Slurp(ctx, key, buf, limit)
	}
	if content, info, found := c.look(ctx, key); found {
		if err := driver.CheckSize(info.Size, limit); err != nil {
			return buf, info, err
		}
		if buf == nil {
			return content, info, nil
		}
		return append(buf, content...), info, nil
	}
	asked := c.folder.asked(key)
	data, info, err := c.inner.(driver.Slurper).Slurp(ctx, key, buf, limit)
	if err != nil {
		c.learn(ctx, key, nil, info, asked, err)
		return data, info, err
	}
	c.learn(ctx, key, data[len(buf):], info, asked, nil)
	return data, info, nil
}

func (c *caching) Get(ctx context.Context, key string, part Range) (io.ReadCloser, Info, error) {
	if part != (Range{}) || !c.policy.Selects(key) {
		return c.inner.Get(ctx, key, part)
	}
	if content, info, found := c.look(ctx, key); found {
		return io.NopCloser(bytes.NewReader(content)), info, nil
	}
	asked := c.folder.asked(key)
	body, info, err := c.inner.Get(ctx, key, part)
	if err != nil || info.Size > c.folder.largest() {
		c.learn(ctx, key, nil, info, asked, err)
		return body, info, err
	}
	return &learningBody{ReadCloser: body, learn: func(content []byte) { c.learn(ctx, key, content, info, asked, nil) }}, info, nil
}

// learningBody collects the content of a body, and passes it on at the end.
type learningBody struct {
	io.ReadCloser
	content []byte
	learn   func(content []byte)
}

func (b *learningBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.learn != nil {
		b.content = append(b.content, p[:n]...)
		if err == io.EOF {
			b.learn(b.content)
			b.learn = nil
		}
	}
	return n, err
}

// Put removes the blob from the cache first, whatever becomes of the put, and
// again if it fails: others may have changed the blob by then, and a put that
// seems to have failed may have succeeded.
func (c *caching) Put(ctx context.Context, key string, body io.Reader, size int64, opts PutOptions) (Info, error) {
	if !c.policy.Selects(key) {
		return c.inner.Put(ctx, key, body, size, opts)
	}
	replay, err := replayable(body, size)
	if err != nil {
		return Info{}, err
	}
	c.folder.change(key)
	asked := c.folder.asked(key)
	info, err := c.inner.Put(ctx, key, replay.body, size, opts)
	if err != nil {
		c.folder.change(key)
		return info, err
	}
	if replay.rewind == nil || info.Size > c.folder.largest() || replay.rewind() != nil {
		return info, nil
	}
	content := make([]byte, info.Size)
	if _, err := io.ReadFull(replay.body, content); err == nil {
		c.learn(ctx, key, content, info, asked, nil)
	}
	return info, nil
}

func (c *caching) Stat(ctx context.Context, key string) (Info, error) { return c.inner.Stat(ctx, key) }

func (c *caching) List(ctx context.Context, prefix, startAt string) iter.Seq2[Info, error] {
	return c.inner.List(ctx, prefix, startAt)
}

// Delete removes the blob from the cache afterwards, too: somebody may have
// read it just before it went.
func (c *caching) Delete(ctx context.Context, key string) error {
	if !c.policy.Selects(key) {
		return c.inner.Delete(ctx, key)
	}
	c.folder.change(key)
	defer c.folder.change(key)
	return c.inner.Delete(ctx, key)
}

// Close ends the use of the cache, too.
func (c *caching) Close() error {
	c.folder.entries.Close()
	return c.inner.Close()
}

// The rest is called only if the inner store can do it; see driver.Like.

func (c *caching) Now(ctx context.Context) (time.Time, error) { return c.inner.(driver.Clock).Now(ctx) }

func (c *caching) LocalPath(ctx context.Context, key string) (string, error) {
	return c.inner.(driver.Local).LocalPath(ctx, key)
}
