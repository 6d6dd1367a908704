// Package inproc is the executor that runs functions in the calling process, on
// a goroutine each. It is the default: it costs next to nothing, and nothing of
// it outlives the process.
package inproc

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Executor runs invocations in this process. It is safe for concurrent use.
type Executor struct {
	limit int
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Limited  = (*Executor)(nil)
	_ executor.Local    = (*Executor)(nil)
)

// Option is a setting for [New].
type Option func(*Executor)

// Limit sets how many functions may run side by side; 0 or less means no limit.
// The default is runtime.GOMAXPROCS(0). The orchestrator keeps the limit, not
// the executor.
func Limit(n int) Option {
	return func(e *Executor) { e.limit = max(n, 0) }
}

// New returns an executor for this process.
func New(options ...Option) *Executor {
	e := &Executor{limit: runtime.GOMAXPROCS(0)}
	for _, option := range options {
		option(e)
	}
	return e
}

// Name returns "inproc".
func (e *Executor) Name() string { return "inproc" }

// Limit returns how many functions may run side by side; 0 means no limit.
func (e *Executor) Limit() int { return e.limit }

// RunsHere returns true.
func (e *Executor) RunsHere() bool { return true }

// Start calls inv.Work on a goroutine of its own, with a context that has the
// values of ctx and ends by Stop only. It does not use inv.Env and inv.Log: the
// function has this process's environment and output. If inv.Work panics or
// calls runtime.Goexit, the Exit says so.
func (e *Executor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, &executor.Error{
			Reason: executor.LaunchFailed, Message: inv.Function + " was cancelled before it started", Err: err,
		}
	}
	if inv.Work == nil {
		return nil, &executor.Error{
			Reason:  executor.LaunchFailed,
			Message: inv.Function + " has no work that could run in this process; use another executor",
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &worker{function: inv.Function, cancel: cancel, done: make(chan struct{})}
	go w.run(ctx, inv.Work)
	return w, nil
}

// Attach fails with executor.ErrGone: nothing here outlives the process that
// started it.
func (e *Executor) Attach(_ context.Context, inv executor.Invocation, _ string) (executor.Worker, error) {
	return nil, fmt.Errorf("%s ran in a process that has ended: %w", inv.Function, executor.ErrGone)
}

type worker struct {
	function string
	cancel   context.CancelFunc
	done     chan struct{} // closed when the function has returned
	exit     executor.Exit // read it only after done is closed
}

func (w *worker) run(ctx context.Context, work func(context.Context) int) {
	returned := false
	defer func() {
		if !returned { // it panicked or called runtime.Goexit
			w.exit = aborted(w.function, recover())
		}
		w.cancel()
		close(w.done)
	}()
	code := work(ctx)
	returned = true
	w.exit = exitOf(w.function, code)
}

func exitOf(function string, code int) executor.Exit {
	switch code {
	case executor.ExitOK, executor.ExitFunc, executor.ExitLost:
		return executor.Exit{Code: code}
	}
	return executor.Exit{Code: code, Err: &executor.Error{
		Reason:  executor.WorkerFailed,
		Message: fmt.Sprintf("the worker of %s ended with code %d; its log says why", function, code),
	}}
}

func aborted(function string, panicked any) executor.Exit {
	message := "the worker of " + function + " left its goroutine by runtime.Goexit; a function must return"
	tail := ""
	if panicked != nil {
		const enough = 4 << 10
		stack := debug.Stack()
		tail = string(stack[:min(len(stack), enough)])
		message = fmt.Sprintf("the worker of %s panicked: %v", function, panicked)
	}
	return executor.Exit{Code: -1, Err: &executor.Error{
		Reason: executor.WorkerFailed, Message: message, Tail: tail,
	}}
}

func (w *worker) Handle() string { return "" }

// Wait returns when the function has returned.
func (w *worker) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-w.done:
		return w.exit, nil
	default:
	}
	select {
	case <-w.done:
		return w.exit, nil
	case <-ctx.Done():
		return executor.Exit{}, ctx.Err()
	}
}

// Stop cancels the function's context and waits until the function has
// returned. Nothing can stop a function that does not heed its context; Stop
// then fails when its own context ends.
func (w *worker) Stop(ctx context.Context) error {
	w.cancel()
	if _, err := w.Wait(ctx); err != nil {
		return fmt.Errorf("stop %s: it still runs; a goroutine cannot be killed, so the function must heed its context: %w",
			w.function, err)
	}
	return nil
}

// Release does nothing: the function runs on as long as this process does.
func (w *worker) Release() {}
