package mops_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
)

// The kind: other people's parts, an executor here, need not keep their
// contract. Each of these breaks it in one way. The call ends all the same,
// with an error that names the executor or with the right result; the function
// runs at most once for it; and the next caller, on another executor, gets the
// result: the lease was released.

// wildExecutor keeps the contract, but for the part that a test scripts.
type wildExecutor struct {
	elsewhere bool
	name      func() string
	limit     func() int
	start     func(ctx context.Context, inv executor.Invocation) (executor.Worker, error)
	handleOf  func() string
	mayRetry  func() bool
	rootFor   func() string
}

func (e *wildExecutor) Name() string {
	if e.name != nil {
		return e.name()
	}
	return "wild"
}

func (e *wildExecutor) Limit() int {
	if e.limit != nil {
		return e.limit()
	}
	return 4
}

func (e *wildExecutor) RunsHere() bool     { return !e.elsewhere }
func (e *wildExecutor) RunsRemotely() bool { return e.elsewhere }

func (e *wildExecutor) HandleOf(executor.Invocation) string {
	if e.handleOf != nil {
		return e.handleOf()
	}
	return ""
}

func (e *wildExecutor) MayRetry([]executor.Reason) bool { return e.mayRetry != nil && e.mayRetry() }

func (e *wildExecutor) RootFor(root string) string {
	if e.rootFor != nil {
		return e.rootFor()
	}
	return root
}

func (e *wildExecutor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	return e.start(ctx, inv)
}

func (e *wildExecutor) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	return nil, executor.ErrGone
}

// wildWorker is a worker that ended well, but for the part that a test scripts.
type wildWorker struct {
	handle  func() string
	wait    func(ctx context.Context) (executor.Exit, error)
	stop    func(ctx context.Context) error
	release func()
}

func (w *wildWorker) Handle() string {
	if w.handle != nil {
		return w.handle()
	}
	return ""
}

func (w *wildWorker) Wait(ctx context.Context) (executor.Exit, error) {
	if w.wait != nil {
		return w.wait(ctx)
	}
	return executor.Exit{}, nil
}

func (w *wildWorker) Stop(ctx context.Context) error {
	if w.stop != nil {
		return w.stop(ctx)
	}
	return nil
}

func (w *wildWorker) Release() {
	if w.release != nil {
		w.release()
	}
}

type (
	starting = func(ctx context.Context, inv executor.Invocation) (executor.Worker, error)
	waiting  = func(ctx context.Context) (executor.Exit, error)
)

func starts(w *wildWorker) starting {
	return func(context.Context, executor.Invocation) (executor.Worker, error) { return w, nil }
}

func startFails(err error) starting {
	return func(context.Context, executor.Invocation) (executor.Worker, error) { return nil, err }
}

func exits(exit executor.Exit, err error) waiting {
	return func(context.Context) (executor.Exit, error) { return exit, err }
}

// works does the work before it returns a worker.
func works(w *wildWorker) starting {
	return func(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
		inv.Work(ctx)
		return w, nil
	}
}

func circularError() error {
	a := &chained{text: "in circles"}
	a.cause = a
	return a
}

var noError *executor.Error

func TestWildExecutors(t *testing.T) {
	silence(t)
	for _, c := range []struct {
		name string
		e    wildExecutor
		says string // of the error; "" where the call has its result
	}{
		{"ends without calling the work", wildExecutor{start: starts(&wildWorker{})}, "without calling its work"},
		{"exits with a code and no error", wildExecutor{start: starts(&wildWorker{wait: exits(executor.Exit{Code: 77}, nil)})}, "without calling its work"},
		{"exits with an empty error", wildExecutor{start: starts(&wildWorker{wait: exits(executor.Exit{Err: &executor.Error{}}, nil)})}, "code 0"},
		{"exits with an error in circles", wildExecutor{start: starts(&wildWorker{wait: exits(executor.Exit{Err: &executor.Error{Message: "the wild one died", Err: circularError()}}, nil)})}, "in circles"},
		{"no worker and no error", wildExecutor{start: startFails(nil)}, "neither a worker nor an error"},
		{"a nil worker in the interface", wildExecutor{start: starts(nil)}, "neither a worker nor an error"},
		{"a nil error in the interface", wildExecutor{start: startFails(noError)}, "return nil itself"},
		{"an error of its own", wildExecutor{start: startFails(errors.New("no more room"))}, "no more room"},
		{"an error in circles", wildExecutor{start: startFails(circularError())}, "in circles"},
		{"an error without reason", wildExecutor{start: startFails(&executor.Error{})}, "failed in Start"},
		{"panics in Start", wildExecutor{start: func(context.Context, executor.Invocation) (executor.Worker, error) { panic("out of it") }}, "panicked in Start: out of it"},
		{"panics in Wait", wildExecutor{start: starts(&wildWorker{wait: func(context.Context) (executor.Exit, error) { panic("out of it") }})}, "panicked in Wait: out of it"},
		{"panics everywhere", wildExecutor{start: starts(&wildWorker{
			wait:   func(context.Context) (executor.Exit, error) { panic("out of it") },
			stop:   func(context.Context) error { panic("out of it") },
			handle: func() string { panic("out of it") }, release: func() { panic("out of it") },
		})}, "panicked in Wait: out of it"},
		{"Wait fails at once", wildExecutor{start: starts(&wildWorker{wait: exits(executor.Exit{}, errors.New("no idea"))})}, "no idea"},
		{"Wait fails with a nil error", wildExecutor{start: starts(&wildWorker{wait: exits(executor.Exit{}, noError)})}, "failed in Wait"},
		{"Limit below zero", wildExecutor{limit: func() int { return -5 }, start: works(&wildWorker{})}, ""},
		{"Limit panics", wildExecutor{limit: func() int { panic("out of it") }}, "out of it"},
		{"Name panics", wildExecutor{name: func() string { panic("out of it") }}, "out of it"},
		{"no name", wildExecutor{name: func() string { return "" }}, "must be printable"},
		{"a name of two lines", wildExecutor{name: func() string { return "a\nb" }}, "must be printable"},
		{"works and exits with a code and no error", wildExecutor{start: works(&wildWorker{wait: exits(executor.Exit{Code: 77}, nil)})}, ""},
		{"works and then fails", wildExecutor{start: works(&wildWorker{wait: exits(executor.Exit{}, errors.New("no idea"))})}, ""},
		{"works twice", wildExecutor{start: func(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
			inv.Work(ctx)
			inv.Work(ctx)
			return &wildWorker{}, nil
		}}, ""},
		{"works twice at once", wildExecutor{start: func(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() { inv.Work(ctx) })
			}
			both.Wait()
			return &wildWorker{}, nil
		}}, ""},
		{"works without a context", wildExecutor{start: func(_ context.Context, inv executor.Invocation) (executor.Worker, error) {
			inv.Work(nil)
			return &wildWorker{}, nil
		}}, ""},
		{"says that it has ended before it has", wildExecutor{start: func(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
			begun := make(chan struct{})
			go inv.Work(marked(ctx, begun))
			<-begun
			return &wildWorker{}, nil
		}}, ""},

		{"elsewhere: nothing in the store", wildExecutor{elsewhere: true, start: starts(&wildWorker{})}, "neither a result nor an error"},
		{"elsewhere: a code and no error", wildExecutor{elsewhere: true, start: starts(&wildWorker{wait: exits(executor.Exit{Code: 77}, nil)})}, "code 77"},
		{"elsewhere: no worker", wildExecutor{elsewhere: true, start: startFails(nil)}, "neither a worker nor an error"},
		{"elsewhere: Wait fails", wildExecutor{elsewhere: true, start: starts(&wildWorker{wait: exits(executor.Exit{}, errors.New("no idea"))})}, "no idea"},
		{"elsewhere: RootFor panics", wildExecutor{elsewhere: true, rootFor: func() string { panic("out of it") }}, "panicked in RootFor: out of it"},
		{"elsewhere: HandleOf panics", wildExecutor{elsewhere: true, handleOf: func() string { panic("out of it") }}, "panicked in HandleOf: out of it"},
		{"elsewhere: a huge handle", wildExecutor{elsewhere: true, handleOf: func() string { return strings.Repeat("x", 1<<20) }}, "not short and printable"},
		{"elsewhere: MayRetry panics", wildExecutor{elsewhere: true, start: startFails(&executor.Error{}), mayRetry: func() bool { panic("out of it") }}, "panicked in MayRetry: out of it"},
		{"elsewhere: prints when all is over", wildExecutor{elsewhere: true, start: func(_ context.Context, inv executor.Invocation) (executor.Worker, error) {
			for range 4 {
				go func() {
					for range 100 {
						inv.Log([]byte("still here\n"))
					}
				}()
			}
			return &wildWorker{}, nil
		}}, "neither a result nor an error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, _ := onDisk(t, mops.LogTo(slog.New(slog.DiscardHandler)))
			f, runs := counted(t)
			out, err := f.With(mops.On(&c.e)).Call(ctx, 21)
			switch {
			case c.says == "":
				if err != nil || out != 42 || runs.Load() != 1 {
					t.Errorf("%d, %v after %d runs", out, err, runs.Load())
				}
			default:
				mentions(t, err, c.says, "wild")
				if runs.Load() != 0 {
					t.Errorf("the function ran: %d", runs.Load())
				}
			}
			if out, err := f.Call(ctx, 21); err != nil || out != 42 || runs.Load() != 1 {
				t.Errorf("the next who calls: %d, %v after %d runs", out, err, runs.Load())
			}
		})
	}
}

// marked is a context that says when it is first asked for a value: the work has begun.
func marked(ctx context.Context, begun chan struct{}) context.Context {
	return &markedContext{ctx, begun, sync.Once{}}
}

type markedContext struct {
	context.Context
	begun chan struct{}
	once  sync.Once
}

func (c *markedContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.begun) })
	return c.Context.Done()
}

// Executors that hang go on until the caller has had enough, and not longer.
func TestWildExecutorsThatHang(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for executors that hang")
	}
	hang := func() { select {} } // for good, as the worst of them do
	for _, elsewhere := range []bool{false, true} {
		for name, start := range map[string]func(hung func()) starting{
			"Start": func(hung func()) starting {
				return func(context.Context, executor.Invocation) (executor.Worker, error) { hung(); hang(); return nil, nil }
			},
			"Wait": func(hung func()) starting {
				return starts(&wildWorker{wait: func(context.Context) (executor.Exit, error) { hung(); hang(); return executor.Exit{}, nil }})
			},
			"the work, with a context of its own": func(hung func()) starting {
				return func(_ context.Context, inv executor.Invocation) (executor.Worker, error) {
					done := make(chan struct{})
					go func() {
						defer close(done)
						if inv.Work != nil {
							inv.Work(context.Background())
						}
					}()
					hung()
					return &wildWorker{
						wait: func(ctx context.Context) (executor.Exit, error) { <-ctx.Done(); return executor.Exit{}, ctx.Err() },
						stop: func(context.Context) error { return nil }, // it did nothing
					}, nil
				}
			},
		} {
			t.Run(fmt.Sprintf("%s, elsewhere=%v", name, elsewhere), func(t *testing.T) {
				t.Parallel()
				enough := errors.New("had enough")
				root, _ := onDisk(t, mops.LogTo(slog.New(slog.DiscardHandler)))
				ctx, cancel := context.WithCancelCause(root)
				var sane atomic.Bool
				f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
					if !sane.Load() {
						<-ctx.Done()
						return 0, ctx.Err()
					}
					return n, nil
				}, private())
				e := &wildExecutor{elsewhere: elsewhere, start: start(func() { cancel(enough) })}
				call, err := f.With(mops.On(e)).Start(ctx, 21)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := call.Wait(root); !errors.Is(err, enough) {
					t.Errorf("%v", err)
				}
				<-call.Done()
				sane.Store(true)
				if out, err := f.With(mops.On(inproc.New())).Call(root, 21); err != nil || out != 21 {
					t.Errorf("the next who calls: %d, %v", out, err)
				}
			})
		}
	}
}

// An executor that is not a pointer, or a nil one, is refused with an error.
type listExecutor []int

func (listExecutor) Name() string { return "list" }
func (listExecutor) Start(context.Context, executor.Invocation) (executor.Worker, error) {
	return nil, errors.New("no")
}
func (listExecutor) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	return nil, executor.ErrGone
}
func (listExecutor) Limit() int { return 1 }

func TestExecutorsThatCannotBeUsed(t *testing.T) {
	ctx, _ := onDisk(t)
	f, _ := counted(t)
	_, err := f.With(mops.On(listExecutor{1})).Call(ctx, 1)
	mentions(t, err, "listExecutor", "use a pointer")
	var none *wildExecutor
	_, err = f.With(mops.On(none)).Call(ctx, 1)
	mentions(t, err, "nil *mops_test.wildExecutor")
	var noneOfOurs *inproc.Executor
	_, err = f.With(mops.On(noneOfOurs)).Call(ctx, 1)
	mentions(t, err, "nil *inproc.Executor")
}

// One executor has one limit, however many names it has.
func TestAGuardedExecutorKeepsItsLimit(t *testing.T) {
	ctx, _ := onDisk(t)
	var now, most atomic.Int64
	f := mops.Define("f", func(_ context.Context, n int) (int, error) {
		if now.Add(1) > 1 {
			most.Store(2)
		}
		time.Sleep(time.Millisecond) // so that another would be seen
		now.Add(-1)
		return n, nil
	}, private())
	e := &wildExecutor{limit: func() int { return 1 }, start: inproc.New().Start}
	var calls []*mops.Call[int]
	for i := range 20 {
		calls = append(calls, must(f.With(mops.On(e)).Start(mops.WithOptions(ctx, mops.On(e)), i)))
	}
	for _, call := range calls {
		must(call.Wait(ctx))
	}
	if most.Load() > 1 {
		t.Error("two ran side by side")
	}
}

// A logger's handler is the user's, too.
type wildHandler struct{ calls *atomic.Int64 }

func (h wildHandler) panic() { h.calls.Add(1); panic("out of it") }

func (h wildHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (h wildHandler) Handle(context.Context, slog.Record) error { h.panic(); return nil }
func (h wildHandler) WithAttrs([]slog.Attr) slog.Handler        { h.panic(); return nil }
func (h wildHandler) WithGroup(string) slog.Handler             { h.panic(); return nil }

func TestAHandlerThatPanics(t *testing.T) {
	var calls atomic.Int64
	ctx, _ := onDisk(t, mops.LogTo(slog.New(wildHandler{&calls})))
	failed := false
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		mops.Logger(ctx).WithGroup("g").Info("here")
		if !failed {
			failed = true
			return 0, errors.New("not yet") // which is logged by mops
		}
		return n, nil
	}, private(), mops.Retries(1))
	if out, err := f.Call(ctx, 1); err != nil || out != 1 || calls.Load() == 0 {
		t.Errorf("%d, %v; the handler was called %d times", out, err, calls.Load())
	}
}
