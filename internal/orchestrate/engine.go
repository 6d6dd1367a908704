// Package orchestrate makes calls: it looks for the result, takes the lease,
// hands the work to an executor, waits for those who have the lease, and sees
// to it that one call is computed once. The root package gives it encoded
// inputs and decodes what comes back; worker does the computing.
package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/config"
	"github.com/TrilliantHealth/mops-go/internal/errtree"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/progress"
	"github.com/TrilliantHealth/mops-go/internal/slots"
	"github.com/TrilliantHealth/mops-go/internal/source"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// Options are what an engine works with.
type Options struct {
	Files   *source.Files
	Tracker *progress.Tracker
	Logger  *slog.Logger

	// CacheDir is the folder for results that were read from stores elsewhere,
	// "" for none, and CacheSize its bound in bytes; see memo.Cache.
	CacheDir  string
	CacheSize int64

	// Output returns where the lines of a worker go, for people. May be nil.
	Output func(function, memoURI string) io.WriteCloser

	// ConfigPath, Isolated and Defaults go along to workers, so that their
	// nested calls are made under the same settings; the others to those that
	// see neither our files nor our variables.
	ConfigPath string
	Isolated   bool // neither a config file nor variables have a say
	Defaults   config.Settings
	ConfigText string
	Environ    config.Settings
	Elsewhere  bool // config file and variables are those of another machine

	// Executors is what executors are told of the config file, by their names.
	Executors map[string]map[string]any

	// Tree is where a worker's slots are; nil in a process that is no worker.
	Tree *worker.Tree

	// Since is when the environment at the top of a tree of workers began, by
	// the store's clock: to them a result from after it is refreshed already, or
	// each of them would refresh anew what all of them call. Zero at the top.
	Since time.Time
}

// Engine makes the calls of one environment. It is safe for concurrent use.
type Engine struct {
	Options

	owned    sync.WaitGroup // every flight and every goroutine of the engine
	stopping atomic.Int64   // workers elsewhere that are being stopped

	mu          sync.Mutex
	closed      bool
	roots       map[string]*root
	flights     map[flightKey]*flight
	pools       slots.Pools
	perExecutor map[executor.Executor]*pool
	refreshed   map[resultKey]bool
	alone       uint64        // counts the calls without store
	server      *slots.Server // of pools, to workers; nil before the first
	began       time.Time
}

// New makes an engine. Close ends it.
func New(options Options) *Engine {
	return &Engine{
		Options: options,
		roots:   map[string]*root{}, flights: map[flightKey]*flight{},
		perExecutor: map[executor.Executor]*pool{}, refreshed: map[resultKey]bool{}, began: time.Now(),
	}
}

// ErrClosed says that a call was made on an environment that was closed.
var ErrClosed = errtree.Sentinel("closed", passing("the environment is closed"))

// Close cancels what still runs, waits until its workers are gone, and ends the
// sessions, so that others need not wait for them to expire.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	for _, f := range e.flights {
		f.giveUp(ErrClosed)
	}
	e.mu.Unlock()
	e.owned.Wait()
	var failed []error
	for _, r := range e.roots {
		failed = append(failed, r.close(e.Logger))
	}
	if e.server != nil {
		failed = append(failed, e.server.Close())
	}
	return errors.Join(failed...)
}

// Stopping is how many workers of other processes are being stopped.
func (e *Engine) Stopping() int { return int(e.stopping.Load()) }

// root is a store that is open, with this process's session in it.
type root struct {
	store   *blob.Store
	session *lease.Session
	judge   *lease.Judge

	clock sync.Once
	began time.Time // when the engine began, by the store's clock
}

// endTime is how long a program that is done tries to say so. Where the store is
// away, others find out by themselves, and hardly later.
const endTime = 5 * time.Second

func (r *root) close(logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if err := r.session.Close(ctx); err != nil {
		logger.Warn("the session of this process could not be ended; others who want what it had not finished wait for it to expire",
			"root", r.store.Root(), "error", err)
	}
	return r.store.Close()
}

// since is what workers at this root are told; see Options.Since.
func (e *Engine) since(ctx context.Context, r *root) time.Time {
	if !e.Since.IsZero() {
		return e.Since
	}
	r.clock.Do(func() {
		r.began = e.began
		if r.store.IsLocal() {
			return // it goes by our clock
		}
		if now, ok, err := r.store.Now(ctx); err == nil && ok {
			r.began = now.Add(-time.Since(e.began))
		}
	})
	return r.began
}

// retryPolicy is patient with stores that are services, and brief with a file
// system: there is little that it says no to now and yes to later.
func (e *Engine) retryPolicy(store *blob.Store) blob.RetryPolicy {
	if store.IsLocal() {
		return blob.RetryPolicy{Tries: 3, Log: e.Logger}
	}
	return blob.RetryPolicy{Log: e.Logger}
}

// cached is a store with the cache of this machine before it, if there is use
// for one: not where a read costs no more than one of the cache, and not where
// the blobs of the next process are others.
func (e *Engine) cached(store *blob.Store) *blob.Store {
	if e.CacheDir == "" || store.IsLocal() || strings.HasPrefix(store.Root(), "mem:") {
		return store
	}
	return memo.Cache(store, e.CacheDir, e.CacheSize, e.Logger)
}

// root opens a store, once.
func (e *Engine) root(ctx context.Context, uri string) (*root, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if r, ok := e.roots[uri]; ok {
		return r, nil
	}
	store, err := blob.Open(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("the root cannot be opened: %w", err)
	}
	store = e.cached(blob.Retry(store, e.retryPolicy(store)))
	r := &root{
		store: store, session: lease.NewSession(store, lease.Config{Log: e.Logger}), judge: lease.NewJudge(store, lease.JudgeConfig{Log: e.Logger}),
	}
	e.roots[uri] = r
	return r, nil
}

// Root opens a store, once, and returns it with the session of this process,
// for a worker: others shall see one session where there is one process. Close
// ends both.
func (e *Engine) Root(ctx context.Context, uri string) (*blob.Store, *lease.Session, error) {
	r, err := e.root(ctx, uri)
	if err != nil {
		return nil, nil, err
	}
	return r.store, r.session, nil
}

// pool is where calls on an executor wait for their turn; nil where it has no
// limit. In a worker all of them take their turns in the pool of the tree that
// the worker belongs to: a function that runs counts once, wherever it runs.
func (e *Engine) pool(ex executor.Executor) *pool {
	limited, ok := ex.(executor.Limited)
	if !ok || limited.Limit() <= 0 {
		return nil
	}
	if e.Tree != nil {
		return &pool{Pool: e.Tree, name: e.Tree.Name, size: e.Tree.Size}
	}
	kind := ex.Name()
	if g, ok := ex.(*guarded); ok {
		ex = g.Executor // one pool for all guards of one executor
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p, ok := e.perExecutor[ex]; ok {
		return p
	}
	p := &pool{name: fmt.Sprintf("%s-%d", kind, len(e.perExecutor)), size: limited.Limit()}
	p.Pool = e.pools.Pool(p.name, p.size)
	e.perExecutor[ex] = p
	return p
}

// pool is a number of slots that other processes can be told of.
type pool struct {
	slots.Pool
	name string
	size int
}

// tree tells a worker which slot it runs in, and where to ask for others.
func (e *Engine) tree(p *pool, holder string) (*worker.Tree, error) {
	if e.Tree != nil {
		return &worker.Tree{Path: e.Tree.Path, Name: p.name, Size: p.size, Holder: holder}, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		server, err := slots.Serve(&e.pools)
		if err != nil {
			return nil, err
		}
		e.server = server
	}
	return &worker.Tree{Path: e.server.Path(), Name: p.name, Size: p.size, Holder: holder}, nil
}

// Place is where the records of a call would live.
func (e *Engine) Place(c Call) memo.Place {
	place := unkept(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	if r, open := e.roots[c.Root]; open && !c.Off {
		place.Store = r.store
	}
	return place
}
