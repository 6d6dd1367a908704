package orchestrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/testkit/eventlog"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// scheme is that of roots in memory which a program may lose: room:NAME#PROGRAM.
const scheme = "room"

// lost says which roots, by their whole URI, do not answer at present.
var lost sync.Map

func TestMain(m *testing.M) {
	blob.Register(scheme, func(ctx context.Context, uri string) (driver.Store, error) {
		name, _, _ := strings.Cut(strings.TrimPrefix(uri, scheme+":"), "#")
		inner, err := blob.Open(ctx, "mem://"+name)
		if err != nil {
			return nil, err
		}
		return gate{inner.Driver(), uri}, nil
	})
	// Workers listen to signals: the goroutine of package signal, which never
	// ends, must not belong to a bubble.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR2)
	os.Exit(m.Run())
}

// gate is a store as one program sees it.
type gate struct {
	driver.Store
	uri string
}

func (g gate) away() error {
	if _, away := lost.Load(g.uri); away {
		return &driver.Error{Kind: driver.Unavailable, Err: errors.New("the store is away")}
	}
	return nil
}

func (g gate) Stat(ctx context.Context, key string) (driver.Info, error) {
	if err := g.away(); err != nil {
		return driver.Info{}, err
	}
	return g.Store.Stat(ctx, key)
}

func (g gate) Get(ctx context.Context, key string, part driver.Range) (body io.ReadCloser, info driver.Info, err error) {
	if err := g.away(); err != nil {
		return nil, driver.Info{}, err
	}
	return g.Store.Get(ctx, key, part)
}

func (g gate) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if err := g.away(); err != nil {
		return driver.Info{}, err
	}
	return g.Store.Put(ctx, key, body, size, opts)
}

// rig is a root, a function of a number, and the programs that call it.
type rig struct {
	*testing.T
	name     string
	registry *function.Registry
	f        *function.Function
	runs     sync.Map // *atomic.Int32 by input
	do       func(ctx context.Context, n int) (int, error)
	fleet    *fleet
	logged   syncbuf.Buffer
	logger   *slog.Logger
}

// inRoom runs a test in a bubble, where time is made up.
func inRoom(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, name: strings.ReplaceAll(t.Name(), "/", "-"), registry: function.NewRegistry(function.Sources{})}
		r.logger = slog.New(slog.NewTextHandler(&r.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r.do = func(_ context.Context, n int) (int, error) { return 2 * n, nil }
		r.fleet = &fleet{rig: r, workers: map[string]*fleetWorker{}}
		r.f = define(r, r.registry, "0", func(ctx context.Context, n int) (int, error) { return r.do(ctx, n) })
		defer memblob.Forget("mem://" + r.name)
		test(r)
		if t.Failed() {
			t.Logf("the log:\n%s", &r.logged)
		}
	})
}

// define makes a version of the function, with an output of any type; what it
// makes is what programs with one registry have. homes are its old ones.
func define[Out any](r *rig, registry *function.Registry, version string, do func(context.Context, int) (Out, error), homes ...memokey.Home) *function.Function {
	r.Helper()
	f, err := registry.Add("room/f", version, "here", reflect.TypeFor[int](), reflect.TypeFor[Out]())
	if err != nil {
		r.Fatal(err)
	}
	f.ReadFrom(homes...)
	err = f.Implement(func(ctx context.Context, in any) (any, error) {
		n := *in.(*int)
		ran, _ := r.runs.LoadOrStore(n, new(atomic.Int32))
		ran.(*atomic.Int32).Add(1)
		out, err := do(ctx, n)
		return &out, err
	})
	if err := errors.Join(err, f.Prepare()); err != nil {
		r.Fatal(err)
	}
	return f
}

// ran is how often the function was called with n.
func (r *rig) ran(n int) int {
	ran, found := r.runs.Load(n)
	if !found {
		return 0
	}
	return int(ran.(*atomic.Int32).Load())
}

func (r *rig) wantRuns(n, want int) {
	r.Helper()
	if ran := r.ran(n); ran != want {
		r.Errorf("the function ran %d times with %d, want %d", ran, n, want)
	}
}

// program is one process that makes calls.
type program struct {
	*Engine
	rig  *rig
	root string
	at   executor.Executor

	told   *eventlog.Log      // its events
	f      *function.Function // its version of it
	decode func(ctx context.Context, body []byte) (int, error)
}

func (r *rig) program(name string, at executor.Executor, change ...func(*Options)) *program {
	r.Helper()
	p := &program{rig: r, root: fmt.Sprintf("%s:%s#%s", scheme, r.name, name), at: at, f: r.f}
	p.decode = func(ctx context.Context, body []byte) (out int, err error) {
		err = p.f.DecodeOut(ctx, body, &out)
		return out, err
	}
	told := new(eventlog.Log)
	options := Options{Files: r.files(), Events: new(event.Stream), Logger: r.logger.With("program", name)}
	for _, change := range change {
		change(&options)
	}
	options.Events.Direct(told.Observe)
	p.Engine, p.told = New(options), told
	r.Cleanup(func() {
		p.returns()
		if err := p.Close(); err != nil {
			r.Errorf("close: %v", err)
		}
		told.Check(r)
	})
	return p
}

func (r *rig) files() *source.Files {
	files, err := source.New(source.Options{})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { files.Close() })
	return files
}

// vanishes lets a program lose its root, as if it had died or its network had.
func (p *program) vanishes() { lost.Store(p.root, true) }
func (p *program) returns()  { lost.Delete(p.root) }

func (p *program) call(n int, change ...func(*Settings)) Call {
	p.rig.Helper()
	input, err := p.f.EncodeIn(p.rig.Context(), &n)
	if err != nil {
		p.rig.Fatal(err)
	}
	s := &Settings{Terms: worker.Terms{Pipeline: "p"}, Root: p.root, Executor: p.at}
	for _, change := range change {
		change(s)
	}
	return Call{Function: p.f, Input: input, Settings: s}
}

// ended is how a call ended.
type ended struct {
	out int
	how How
	err error
}

func (p *program) do(ctx context.Context, n int, change ...func(*Settings)) ended {
	outcome, err := p.Do(ctx, p.call(n, change...), LeaveSettled)
	return p.ended(ctx, outcome, err)
}

func (p *program) ended(ctx context.Context, outcome Outcome, err error) ended {
	e := ended{how: outcome.How, err: err}
	if err == nil {
		e.out, e.err = p.decode(ctx, outcome.Result.Body)
	}
	return e
}

// begin makes a call on a goroutine of its own.
func (p *program) begin(ctx context.Context, n int, change ...func(*Settings)) <-chan ended {
	c := make(chan ended, 1)
	go func() { c <- p.do(ctx, n, change...) }()
	return c
}

func (r *rig) want(got ended, out int, how How) {
	r.Helper()
	if got.err != nil || got.out != out || got.how != how {
		r.Errorf("the call ended with %d, %q, %v; want %d, %q", got.out, got.how, got.err, out, how)
	}
}

// waitsFor lets the function wait until open is closed, or its context ends.
func (r *rig) waitsFor(open <-chan struct{}) {
	r.do = func(ctx context.Context, n int) (int, error) {
		select {
		case <-open:
			return 2 * n, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (r *rig) lease(p *program, n int) lease.State {
	r.Helper()
	state, _, err := lease.Read(r.Context(), p.Place(p.call(n)).Store, p.Place(p.call(n)).Lease())
	if err != nil {
		r.Fatal(err)
	}
	return state
}

// here is an executor in this process, and one is such with one slot.
func here() executor.Executor { return inproc.New() }
func one() executor.Executor  { return inproc.New(inproc.Limit(1)) }

// fleet is an executor whose workers are apart from the program that starts
// them: each has a session of its own and goes on when its caller vanishes.
type fleet struct {
	rig     *rig
	mu      sync.Mutex
	workers map[string]*fleetWorker
	stop    error // the error of stopping one
	dies    bool  // a worker ends before it has begun
}

func (*fleet) Name() string                            { return "fleet" }
func (*fleet) HandleOf(inv executor.Invocation) string { return "worker-" + inv.RunID }

type fleetWorker struct {
	fleet  *fleet
	handle string
	cancel context.CancelFunc
	ended  chan struct{}
	code   int
}

func (f *fleet) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	var spec worker.Spec
	_, text, _ := strings.Cut(inv.Env[0], "=")
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return nil, &executor.Error{Reason: executor.LaunchFailed, Err: err}
	}
	w := &fleetWorker{fleet: f, handle: f.HandleOf(inv), ended: make(chan struct{})}
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.mu.Lock()
	f.workers[w.handle] = w
	f.mu.Unlock()
	go func() {
		defer close(w.ended)
		inv.Log([]byte("the worker begins\n"))
		if !f.dies {
			w.code = f.run(ctx, spec)
		}
	}()
	return w, nil
}

// run is the worker's program.
func (f *fleet) run(ctx context.Context, spec worker.Spec) int {
	r := f.rig
	spec.Root = fmt.Sprintf("%s:%s#%s", scheme, r.name, spec.RunID)
	store, err := blob.Open(ctx, spec.Root)
	if err != nil {
		r.Error(err)
		return executor.ExitFailed
	}
	store = blob.Retry(store, blob.RetryPolicy{})
	session := lease.NewSession(store, lease.Config{})
	defer session.Close(context.Background())
	files, err := source.New(source.Options{})
	if err != nil {
		r.Error(err)
		return executor.ExitFailed
	}
	defer files.Close()
	return worker.Process{
		Spec: spec, Registry: r.registry, Files: files, Logger: r.logger,
		Root:    func(context.Context, string) (*blob.Store, *lease.Session, error) { return store, session, nil },
		Context: func(ctx context.Context) context.Context { return ctx },
	}.Main(ctx)
}

func (f *fleet) Attach(_ context.Context, _ executor.Invocation, handle string) (executor.Worker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w, found := f.workers[handle]; found && !isClosed(w.ended) {
		return w, nil
	}
	return nil, executor.ErrGone
}

func (w *fleetWorker) Handle() string { return w.handle }
func (w *fleetWorker) Release()       {}

func (w *fleetWorker) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-w.ended:
		return executor.Exit{Code: w.code}, nil
	case <-ctx.Done():
		return executor.Exit{}, ctx.Err()
	}
}

func (w *fleetWorker) Stop(ctx context.Context) error {
	if w.fleet.stop != nil {
		return w.fleet.stop
	}
	w.cancel()
	_, err := w.Wait(ctx)
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// unsaid are the settings of executors of which nobody says anything.
func unsaid(string) executor.Settings { return executor.Settings{} }
