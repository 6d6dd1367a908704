// Package orchestrate makes calls: it looks for the result, takes the lease,
// hands the work to an executor, waits for other sessions that hold the lease,
// and makes sure that one call is computed once. The root package gives it
// encoded inputs and decodes the outputs; package worker does the computing.
package orchestrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/engine/pack"
	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/history"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Options are what an engine works with.
type Options struct {
	Files  *source.Files
	Events *event.Stream // is told what happens to calls; may be nil
	Logger *slog.Logger

	// CacheDir is the folder for results read from stores elsewhere, or "" for
	// none; CacheSize bounds it in bytes. See memo.Cache.
	CacheDir  string
	CacheSize int64

	// Carry returns what the worker of a run elsewhere is told of the run's context,
	// as worker.Spec.Carried. May be nil.
	Carry func(context.Context) map[string]string

	// Over returns a store that stands before another. May be nil.
	Over func(*blob.Store) *blob.Store

	// Output returns where to show the lines of a worker. May be nil.
	Output func(function, memoURI string) io.WriteCloser

	// ProgramRun is the id of the program's run, for the records of its calls; New
	// makes one if it is empty.
	ProgramRun string

	// Fields are the user's own of the run, for the records of its calls. RunRoot
	// opens the root in which the run is kept, "" if it is not kept; nil is never.
	Fields  worker.Fields
	RunRoot func(context.Context) string

	// Plan ends calls without a result by ErrPlanned, and nothing is written.
	Plan bool

	// NoWorker says what to do so that this program becomes a worker when it is
	// started as one; "" if it does.
	NoWorker string

	worker.Surroundings
	Elsewhere bool // config file and variables come from another machine
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
	perExecutor map[poolKey]*pool
	packers     map[packerKey]*pack.Packer
	refreshed   map[resultKey]bool
	others      others
	past        history.Book
	alone       uint64        // counts the calls without store
	server      *slots.Server // serves pools to workers; nil until the first needs it
	began       time.Time
}

// New makes an engine. Close ends it.
func New(options Options) *Engine {
	if options.RunRoot == nil {
		options.RunRoot = func(context.Context) string { return "" }
	}
	options.ProgramRun = cmp.Or(options.ProgramRun, runs.NewRunID())
	return &Engine{
		Options: options, past: history.Book{Log: options.Logger},
		roots: map[string]*root{}, flights: map[flightKey]*flight{},
		perExecutor: map[poolKey]*pool{}, packers: map[packerKey]*pack.Packer{}, refreshed: map[resultKey]bool{}, began: time.Now(),
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
	for _, p := range e.packers {
		p.Drain()
	}
	e.mu.Unlock()
	e.owned.Wait()
	e.others.close(e)
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

// root is an open store with this process's session in it.
type root struct {
	store   *blob.Store
	session *lease.Session
	judge   *lease.Judge

	clock sync.Once
	began time.Time // when the engine began, by the store's clock
}

// endTime bounds how long a finished program tries to end its session. If the
// store is away, others find out by themselves, hardly later.
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

// since is the time that workers at this root are told; see worker.Surroundings.
func (e *Engine) since(ctx context.Context, r *root) time.Time {
	if !e.Since.IsZero() {
		return e.Since
	}
	r.clock.Do(func() {
		r.began = e.began
		if r.store.IsLocal() {
			return // a local store uses our clock
		}
		if now, ok, err := r.store.Now(ctx); err == nil && ok {
			r.began = now.Add(-time.Since(e.began))
		}
	})
	return r.began
}

// retryPolicy is patient with services, and brief with file systems: they
// rarely say no now and yes later.
func (e *Engine) retryPolicy(store *blob.Store) blob.RetryPolicy {
	if store.IsLocal() {
		return blob.RetryPolicy{Tries: 3, Log: e.Logger}
	}
	return blob.RetryPolicy{Log: e.Logger}
}

// cached puts this machine's cache before a store, if that helps. It does not
// if reading the store costs no more than reading the cache, nor for mem:,
// whose blobs differ in every process.
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
	if e.Over != nil {
		store = e.Over(store)
	}
	store = e.cached(blob.Retry(store, e.retryPolicy(store)))
	r := &root{
		store: store, session: lease.NewSession(store, lease.Config{Log: e.Logger}), judge: lease.NewJudge(store, lease.JudgeConfig{Log: e.Logger}),
	}
	e.roots[uri] = r
	return r, nil
}

// Root opens a store, once, and returns it with this process's session, for a
// worker: others must see one session for one process. Close ends both.
func (e *Engine) Root(ctx context.Context, uri string) (*blob.Store, *lease.Session, error) {
	r, err := e.root(ctx, uri)
	if err != nil {
		return nil, nil, err
	}
	return r.store, r.session, nil
}

// pool is where calls on an executor wait for their turn; nil if it has no
// limit. All workers of a tree share the pool of the orchestrator at the top: a
// running function counts once, wherever it runs.
func (e *Engine) pool(ex executor.Executor) *pool {
	limited, ok := ex.(executor.Limited)
	if !ok || limited.Limit() <= 0 {
		return nil
	}
	if e.Tree != nil {
		return &pool{Pool: e.Tree, name: e.Tree.Name, size: e.Tree.Size, taken: takenOf(ex, e.Tree.Size)}
	}
	given := ex
	if g, ok := ex.(*guarded); ok {
		ex = g.given // one pool for all guards of one executor
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := poolKey{ex, limited.Limit()}
	if p, ok := e.perExecutor[key]; ok {
		return p
	}
	p := &pool{name: fmt.Sprintf("%s-%d", given.Name(), len(e.perExecutor)), size: limited.Limit(), taken: takenOf(given, limited.Limit())}
	p.Pool = e.pools.Pool(p.name, p.size)
	e.perExecutor[key] = p
	return p
}

// poolKey is what executors have in common that share a pool: they are copies of one,
// and no setting has given them another limit.
type poolKey struct {
	original executor.Executor
	limit    int
}

// pool is a number of slots, under a name by which other processes find it.
type pool struct {
	slots.Pool
	name  string
	size  int
	taken string // why a call waits for one of them, for people
}

// takenOf is why a call waits for one of so many slots, for people.
func takenOf(by executor.Executor, size int) string {
	slots, byDefault := "the one slot is", ""
	if size > 1 {
		slots = fmt.Sprintf("all %d slots are", size)
	}
	if _, ours := by.(*inproc.Executor); ours && size == runtime.GOMAXPROCS(0) {
		byDefault = ", GOMAXPROCS by default"
	}
	return fmt.Sprintf("for a slot: %s taken; %s.Limit sets how many there are%s", slots, by.Name(), byDefault)
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

// Place is where the records of a call would lie.
func (e *Engine) Place(c Call) memo.Place {
	place := unkept(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	if r, open := e.roots[c.Root]; open && !c.Off {
		place.Store = r.store
	}
	return place
}
