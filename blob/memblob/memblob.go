// Package memblob keeps blobs in the memory of this process, under URIs such as
// mem://tests: for tests, for trying mops out, and for programs that need no
// memos across runs. It is a driver below package blob; importing it registers
// the scheme mem.
//
// All stores that a process opens under one name are one store, which lives
// until [Forget] or the end of the process.
package memblob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

const scheme = "mem"

func init() { blob.Register(scheme, open) }

// named are the stores of this process, by the name in their URI.
var named stores

type stores struct {
	sync.Mutex
	stores map[string]*Store
}

func open(_ context.Context, uri string) (driver.Store, error) {
	name := nameOf(uri)
	if name == "" {
		return nil, &driver.Error{Kind: driver.Invalid, Err: errors.New("the store needs a name: mem://name")}
	}
	return named.find(name), nil
}

// find returns the store of a name, and makes it if there is none.
func (n *stores) find(name string) *Store {
	n.Lock()
	defer n.Unlock()
	s, ok := n.stores[name]
	if !ok {
		s = New()
		s.name = name
		if n.stores == nil {
			n.stores = make(map[string]*Store)
		}
		n.stores[name] = s
	}
	return s
}

// Forget frees the store with a name, such as that of mem://name. A program
// that has it open keeps it; opening the name again makes an empty one.
func Forget(uri string) {
	named.Lock()
	defer named.Unlock()
	delete(named.stores, nameOf(uri))
}

// Break has operations on the store with a name fail with err, so that a test sees
// what its program does then; with nil they work again. An error that is no
// *driver.Error counts as driver.Other. Operations that a program repeats, those of
// kind driver.Unavailable and driver.Throttled, it repeats for as long as always.
func Break(uri string, err error) {
	s := named.find(nameOf(uri))
	if err == nil {
		s.broken.Store(nil)
		return
	}
	if _, ok := errors.AsType[*driver.Error](err); !ok {
		err = &driver.Error{Kind: driver.Other, Err: err}
	}
	s.broken.Store(&err)
}

func nameOf(uri string) string {
	_, name, _ := strings.Cut(uri, ":")
	return strings.Trim(name, "/")
}

// Store is a store in memory, for use through blob.Store. It is safe for
// concurrent use. Each write changes a blob's version.
type Store struct {
	name   string
	broken atomic.Pointer[error] // by Break

	mu       sync.RWMutex
	blobs    map[string]entry
	versions uint64 // number of versions so far
	now      func() time.Time
}

type entry struct {
	data []byte // never changed once stored
	info driver.Info
}

var (
	_ driver.Slurper = (*Store)(nil)
	_ driver.Clock   = (*Store)(nil)
)

// New makes an empty store without a name, which no URI reaches.
func New() *Store {
	return &Store{name: "unnamed", blobs: make(map[string]entry), now: time.Now}
}

// SetClock makes the store date its blobs, and tell the time, by now. Default:
// time.Now.
func (s *Store) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Root is the URI of the store.
func (s *Store) Root() string { return scheme + "://" + s.name }

// fault is why an operation fails, whatever it is about.
func (s *Store) fault(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	return nil
}

func (s *Store) find(ctx context.Context, key string) (entry, error) {
	if err := s.fault(ctx); err != nil {
		return entry{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.blobs[key]
	if !ok {
		return entry{}, &driver.Error{Kind: driver.NotFound}
	}
	return e, nil
}

// Get implements driver.Store.
func (s *Store) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if part.Offset < 0 || part.Length < 0 {
		return nil, driver.Info{}, &driver.Error{Kind: driver.Invalid,
			Err: fmt.Errorf("a range cannot start at %d with %d bytes", part.Offset, part.Length)}
	}
	e, err := s.find(ctx, key)
	if err != nil {
		return nil, driver.Info{}, err
	}
	data := e.data[min(part.Offset, int64(len(e.data))):]
	if part.Length > 0 {
		data = data[:min(part.Length, int64(len(data)))]
	}
	return io.NopCloser(bytes.NewReader(data)), e.info, nil
}

// Slurp implements driver.Slurper.
func (s *Store) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	e, err := s.find(ctx, key)
	if err == nil {
		err = driver.CheckSize(e.info.Size, limit)
	}
	if err != nil {
		return buf, e.info, err
	}
	return append(buf, e.data...), e.info, nil
}

// Stat implements driver.Store.
func (s *Store) Stat(ctx context.Context, key string) (driver.Info, error) {
	e, err := s.find(ctx, key)
	return e.info, err
}

// Put implements driver.Store; Durable has no effect.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if opts.IfAbsent && opts.IfVersion != "" {
		return driver.Info{}, &driver.Error{Kind: driver.Invalid, Err: errors.New("IfAbsent and IfVersion exclude each other")}
	}
	if err := s.fault(ctx); err != nil {
		return driver.Info{}, err
	}
	data, err := io.ReadAll(contextReader{ctx, body})
	if err != nil {
		return driver.Info{}, fmt.Errorf("cannot read what to store: %w", err)
	}
	if size >= 0 && int64(len(data)) != size {
		return driver.Info{}, &driver.Error{Kind: driver.Invalid,
			Err: fmt.Errorf("the body has %d bytes rather than %d; nothing was written", len(data), size)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, there := s.blobs[key]
	if opts.IfAbsent && there {
		return driver.Info{}, &driver.Error{Kind: driver.Exists}
	}
	if opts.IfVersion != "" && (!there || old.info.Version != opts.IfVersion) {
		return driver.Info{}, &driver.Error{Kind: driver.Mismatch}
	}
	s.versions++
	info := driver.Info{Key: key, Size: int64(len(data)), ModTime: s.now(),
		Version: driver.Version(strconv.FormatUint(s.versions, 10))}
	s.blobs[key] = entry{data, info}
	return info, nil
}

// List implements driver.Store. It yields the blobs as they were when the loop
// began.
func (s *Store) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		s.mu.RLock()
		var blobs []driver.Info
		for key, e := range s.blobs {
			if strings.HasPrefix(key, prefix) && key >= startAt {
				blobs = append(blobs, e.info)
			}
		}
		s.mu.RUnlock()
		slices.SortFunc(blobs, func(a, b driver.Info) int { return strings.Compare(a.Key, b.Key) })
		for _, info := range blobs {
			if err := s.fault(ctx); err != nil {
				yield(driver.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := s.fault(ctx); err != nil {
			yield(driver.Info{}, err)
		}
	}
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.fault(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blobs, key)
	return nil
}

// Now is the time by the clock that dates the blobs.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := s.fault(ctx); err != nil {
		return time.Time{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now(), nil
}

// Close does nothing: the store lives on under its name.
func (s *Store) Close() error { return nil }

type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
