// Package blob is a blob store as mops uses it: small records and large files
// under slash-separated keys below a root URI, with put-if-absent and
// compare-and-swap. All of mops talks to the concrete type [Store]; it wraps a
// driver, checks keys and names the blob in every error.
package blob

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
)

// Names of package driver, for callers.
type (
	Version    = driver.Version
	Info       = driver.Info
	Range      = driver.Range
	PutOptions = driver.PutOptions
)

// Store is a blob store opened at a root. It is safe for concurrent use. Its
// errors are *[Error], apart from those that wrap context.Canceled or
// context.DeadlineExceeded.
type Store struct {
	root     string        // URI without a trailing slash
	address  func() string // opens the root again; nil means root
	identity string        // see driver.Identified; "" if the root identifies it
	driver   driver.Store
	cache    *caching // the outermost decorator; nil if that is no cache
	clock    storeClock
}

// New makes a store of a driver that was opened at root, for decorators and
// tests.
func New(root string, d driver.Store) *Store {
	s := &Store{root: strings.TrimSuffix(root, "/"), driver: d}
	if identified, ok := d.(driver.Identified); ok {
		s.identity = identified.Identity()
	}
	return s
}

// Over returns s with a decorator around its driver, with the same abilities;
// see driver.Like.
func (s *Store) Over(d driver.Decorator) *Store {
	return &Store{root: s.root, address: s.address, identity: s.identity, driver: driver.Like(s.driver, d)}
}

// Driver returns the driver, for decorators and for abilities that Store does
// not have.
func (s *Store) Driver() driver.Store { return s.driver }

// Root is the URI that the store was opened with, without a trailing slash,
// user and query.
func (s *Store) Root() string { return s.root }

// Address is the URI by which another process opens the same root: Root with
// all its parameters, which are never secret.
func (s *Store) Address() string {
	if s.address != nil {
		return s.address()
	}
	return s.root
}

// Identity tells this store from all others, also from those of the same Root,
// such as buckets of one name at two endpoints. It is no URI.
func (s *Store) Identity() string { return cmp.Or(s.identity, s.root) }

// URI is the address of a blob, for people and for messages.
func (s *Store) URI(key string) string { return s.root + "/" + key }

// mostInMemory is the size in bytes of the longest blob that fits in memory
// wherever the program runs.
const mostInMemory = 1<<31 - 2

// ReadAll is ReadUpTo for a blob of any size that fits in memory.
func (s *Store) ReadAll(ctx context.Context, key string, buf []byte) ([]byte, Info, error) {
	return s.ReadUpTo(ctx, key, buf, mostInMemory)
}

// ReadUpTo reads a small blob whole, and appends it to buf, which may be nil.
// Of a blob of more than limit bytes it reads nothing; the error's kind is
// TooLarge. If the content does not match the store's checksum, ReadUpTo reads
// once more, so an error of kind Corrupt means that it was wrong twice. With
// errors of these two kinds comes the Info, if it is known. If there is no
// blob, the error's kind is NotFound.
func (s *Store) ReadUpTo(ctx context.Context, key string, buf []byte, limit int64) (data []byte, info Info, err error) {
	defer s.caught("get", key, &err)
	if err := ValidKey(key); err != nil {
		return buf, Info{}, s.fail("get", key, err)
	}
	data, info, err = s.slurp(ctx, key, buf, limit)
	if Is(err, Corrupt) && ctx.Err() == nil {
		data, info, err = s.slurp(ctx, key, buf, limit)
	}
	return data, info, s.fail("get", key, err)
}

func (s *Store) slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, Info, error) {
	if slurper, ok := s.driver.(driver.Slurper); ok {
		return slurper.Slurp(ctx, key, buf, limit)
	}
	body, info, err := s.driver.Get(ctx, key, Range{})
	if err == nil && body == nil {
		err = errNoBody
	}
	if err != nil {
		return buf, info, err
	}
	defer body.Close()
	if err := driver.CheckSize(info.Size, limit); err != nil {
		return buf, info, err
	}
	into := bytes.NewBuffer(buf)
	n, err := into.ReadFrom(io.LimitReader(body, limit+1)) // the store may have told another size
	if err == nil {
		err = driver.CheckSize(n, limit)
	}
	if err != nil {
		return buf, info, err
	}
	return into.Bytes(), info, nil
}

// Get opens a blob, or a part of it, for streaming; the caller closes the body.
// If there is no blob, the error's kind is NotFound.
func (s *Store) Get(ctx context.Context, key string, part Range) (body io.ReadCloser, info Info, err error) {
	defer s.caught("get", key, &err)
	if err := ValidKey(key); err != nil {
		return nil, Info{}, s.fail("get", key, err)
	}
	body, info, err = s.driver.Get(ctx, key, part)
	if err == nil && body == nil {
		err = errNoBody
	}
	if err != nil {
		return nil, info, s.fail("get", key, err)
	}
	return &namedBody{body, s, key}, info, nil
}

// namedBody is a body whose errors name the blob.
type namedBody struct {
	io.ReadCloser
	store *Store
	key   string
}

func (b *namedBody) Read(p []byte) (n int, err error) {
	defer b.store.caught("get", b.key, &err)
	n, err = b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.store.fail("get", b.key, err)
	}
	return n, err
}

// Put writes a blob whole or not at all. size is the length of body in bytes,
// or -1 if it is not known. If a condition of opts does not hold, the error's
// kind is Exists or Mismatch.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, size int64, opts PutOptions) (info Info, err error) {
	defer s.caught("put", key, &err)
	if err := ValidKey(key); err != nil {
		return Info{}, s.fail("put", key, err)
	}
	info, err = s.driver.Put(ctx, key, body, size, opts)
	return info, s.fail("put", key, err)
}

// PutBytes is Put of data.
func (s *Store) PutBytes(ctx context.Context, key string, data []byte, opts PutOptions) (Info, error) {
	return s.Put(ctx, key, bytes.NewReader(data), int64(len(data)), opts)
}

// Stat describes a blob without reading it. If there is no blob, the error's
// kind is NotFound.
func (s *Store) Stat(ctx context.Context, key string) (info Info, err error) {
	defer s.caught("stat", key, &err)
	if err := ValidKey(key); err != nil {
		return Info{}, s.fail("stat", key, err)
	}
	info, err = s.driver.Stat(ctx, key)
	return info, s.fail("stat", key, err)
}

// List yields the blobs whose key starts with prefix, in byte order, from
// startAt (inclusive) on. It ends after the first error.
func (s *Store) List(ctx context.Context, prefix, startAt string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := s.list(ctx, prefix, startAt, yield); err != nil {
			yield(Info{}, s.fail("list", prefix, err))
		}
	}
}

// list yields blobs, and returns the error that ended the list early.
func (s *Store) list(ctx context.Context, prefix, startAt string, yield func(Info, error) bool) (err error) {
	inLoop := false
	defer func() {
		if inLoop {
			return // the panic is the loop's own, and goes on there
		}
		if p := recover(); p != nil {
			err = s.panicked(p)
		}
	}()
	for info, err := range s.driver.List(ctx, prefix, startAt) {
		if err != nil {
			return err
		}
		inLoop = true
		if !yield(info, nil) {
			return nil
		}
		inLoop = false
	}
	return nil
}

// Delete removes a blob; if there is none, that is no error.
func (s *Store) Delete(ctx context.Context, key string) (err error) {
	defer s.caught("delete", key, &err)
	if err := ValidKey(key); err != nil {
		return s.fail("delete", key, err)
	}
	return s.fail("delete", key, s.driver.Delete(ctx, key))
}

// Now is the time by the store's own clock; ok is false if it has none.
func (s *Store) Now(ctx context.Context) (now time.Time, ok bool, err error) {
	defer s.caught("clock", "", &err)
	clock, ok := s.driver.(driver.Clock)
	if !ok {
		return time.Time{}, false, nil
	}
	now, err = clock.Now(ctx)
	return now, true, s.fail("clock", "", err)
}

// LocalPath is the file in which a blob lies, for reading only; ok is false if
// blobs do not lie in files of this machine.
func (s *Store) LocalPath(ctx context.Context, key string) (path string, ok bool, err error) {
	defer s.caught("stat", key, &err)
	local, ok := s.driver.(driver.Local)
	if !ok {
		return "", false, nil
	}
	path, err = local.LocalPath(ctx, key)
	return path, true, s.fail("stat", key, err)
}

// IsLocal reports whether the blobs lie in files of this machine, so that an
// operation costs microseconds rather than a round trip.
func (s *Store) IsLocal() bool {
	_, ok := s.driver.(driver.Local)
	return ok
}

// Close ends the use of the store.
func (s *Store) Close() (err error) {
	defer s.caught("close", "", &err)
	return s.fail("close", "", s.driver.Close())
}

// errNoBody is for a driver that returned neither a body nor an error.
var errNoBody = errors.New("the driver returned neither a body nor an error")

// caught turns a panic of the driver, which anybody may have written, into an
// error.
func (s *Store) caught(op, key string, err *error) {
	if p := recover(); p != nil {
		*err = s.fail(op, key, s.panicked(p))
	}
}

func (s *Store) panicked(p any) error {
	return fmt.Errorf("the driver (%T) panicked: %v\n%s", s.driver, p, debug.Stack())
}

// fail names operation and blob in a driver's error. An error of the caller's
// context stays as it is.
func (s *Store) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	err = errtree.Tame(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	uri := s.root
	if key != "" {
		uri = s.URI(key)
	}
	if e, ok := errors.AsType[*driver.Error](err); ok && error(e) == err {
		return &Error{Op: op, URI: uri, Kind: e.Kind, Err: e.Err}
	}
	return &Error{Op: op, URI: uri, Kind: KindOf(err), Err: err}
}

// Age is how old a blob is by the clock of the store, which dated it. Age asks
// for the store's time once an hour, and lets it pass as on this machine in
// between. If the store tells no time, or fails to, this machine's clock
// decides.
func (s *Store) Age(ctx context.Context, info Info) time.Duration {
	return s.clock.now(ctx, s).Sub(info.ModTime)
}

// clockKnown is how long an answer of a store's clock is good: the clocks of
// two machines drift apart by less than a second in that time.
const clockKnown = time.Hour

// storeClock remembers a store's clock. The zero value knows nothing.
type storeClock struct {
	mu   sync.Mutex
	told time.Time // by the store
	at   time.Time // when the store told it, by our clock
}

func (c *storeClock) now(ctx context.Context, s *Store) time.Time {
	c.mu.Lock()
	told, at := c.told, c.at
	c.mu.Unlock()
	// A machine that sleeps may stop its monotonic clock; the wall clock shows the
	// sleep.
	if passed := max(time.Since(at), time.Since(at.Round(0))); !at.IsZero() && passed < clockKnown {
		return told.Add(time.Since(at))
	}
	told, ok, err := s.Now(ctx)
	if err != nil || !ok {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.at = told, time.Now()
	return told
}
