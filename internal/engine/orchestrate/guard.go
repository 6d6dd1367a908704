package orchestrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"time"
	"unicode"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
)

// guarded holds a foreign executor to its contract: whatever the executor does,
// a call on it ends with an error that names it. Its properties are asked once,
// because they must not change under way.
type guarded struct {
	executor.Executor
	given  executor.Executor // which is configured now, if it can be; of a copy the original
	name   string
	limit  int
	here   bool
	remote bool
	itself bool
	pack   func() executor.Packing // asked once, and only if a call is computed
}

// Guard returns an executor that keeps the contract whatever the inner one does,
// under the settings for its name. It fails if the inner one cannot be used at all.
func Guard(inner executor.Executor, settings func(name string) executor.Settings) (_ executor.Executor, err error) {
	if v := reflect.ValueOf(inner); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("the executor is a nil %T: make one, with its New", inner)
	}
	if !reflect.ValueOf(inner).Comparable() {
		return nil, fmt.Errorf("an executor of type %T cannot be told from others, since such values cannot be compared: use a pointer to it", inner)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the executor of type %T panicked when it was asked what it is: %v", inner, p)
		}
	}()
	asked, given := inner, ability.Original(inner)
	if !reflect.ValueOf(given).Comparable() {
		return nil, fmt.Errorf("the executor of type %T is a copy of one that cannot be told from others, since values of type %T cannot be compared", inner, given)
	}
	if configurable, ok := inner.(executor.Configurable); ok {
		inner = configurable.Configured(settings(inner.Name()))
	}
	g := &guarded{Executor: inner, given: given, name: inner.Name(), here: ability.InProcess(inner), remote: ability.RunsRemotely(inner), itself: ability.StartsItself(inner)}
	if !isPrintable(g.name, 100) {
		return nil, fmt.Errorf("the name of the executor of type %T is %.100q: it must be printable and at most 100 bytes long", inner, g.name)
	}
	if limited, ok := inner.(executor.Limited); ok {
		g.limit = limited.Limit()
	}
	g.pack = sync.OnceValue(func() executor.Packing {
		packing := ability.Packing(inner)
		if packing.Work > 0 && packing.Kind == "" {
			packing.Kind = fmt.Sprintf("%p", asked)
		}
		return packing
	})
	return g, nil
}

// isPrintable reports whether a text can stand in records and messages.
func isPrintable(s string, most int) bool {
	for _, r := range s {
		if !unicode.IsGraphic(r) {
			return false
		}
	}
	return s != "" && len(s) <= most
}

func (g *guarded) Name() string       { return g.name }
func (g *guarded) Limit() int         { return g.limit }
func (g *guarded) RunsHere() bool     { return g.here }
func (g *guarded) RunsRemotely() bool { return g.remote }
func (g *guarded) StartsItself() bool { return g.itself }

// Packing is zero if the executor is no Packer.
func (g *guarded) Packing() executor.Packing {
	defer g.renamed("Packing")
	return g.pack()
}

// mostHandle bounds a handle, in bytes: it is stored in the lease.
const mostHandle = 4 << 10

// HandleOf returns "" if the executor is no Namer.
func (g *guarded) HandleOf(inv executor.Invocation) (handle string) {
	namer, ok := g.Executor.(executor.Namer)
	if !ok {
		return ""
	}
	defer g.renamed("HandleOf")
	if handle = namer.HandleOf(inv); handle != "" && !isPrintable(handle, mostHandle) {
		panic(fmt.Sprintf("the handle %.100q is not short and printable", handle))
	}
	return handle
}

// mostOwnRetries stops an executor that always wants another try.
const mostOwnRetries = 100

// MayRetry returns false if the executor is no Retrier.
func (g *guarded) MayRetry(failed []executor.Reason) bool {
	defer g.renamed("MayRetry")
	return len(failed) <= mostOwnRetries && ability.MayRetry(g.Executor, failed)
}

// RootFor returns root unchanged if the executor is no Mounter.
func (g *guarded) RootFor(root string) string {
	defer g.renamed("RootFor")
	return ability.RootFor(g.Executor, root)
}

// renamed turns a panic of a method without an error result into one that
// [failureOf] knows.
func (g *guarded) renamed(method string) {
	if p := recover(); p != nil {
		panic(g.panicked(method, p))
	}
}

func (g *guarded) panicked(method string, p any) *executor.Error {
	failure := g.failure(executor.LaunchFailed, fmt.Sprintf("panicked in %s: %v", method, p), nil)
	stack := debug.Stack()
	failure.Tail = string(stack[:min(len(stack), enoughStack)])
	return failure
}

// enoughStack is how much of a stack an error has, in bytes.
const enoughStack = 4 << 10

func (g *guarded) failure(reason executor.Reason, did string, err error) *executor.Error {
	return &executor.Error{Reason: reason, Message: fmt.Sprintf("the executor %s (%T) %s", g.name, g.Executor, did), Err: err}
}

// failed turns an error of the executor into one that the rest of mops may
// handle.
func (g *guarded) failed(reason executor.Reason, did string, err error) error {
	err = errtree.Tame(err)
	switch e, ok := errtree.AsType[*executor.Error](err); {
	case errors.Is(err, executor.ErrGone):
		return err
	case !ok:
		return g.failure(reason, did, err)
	case error(e) != err:
		return err
	default:
		return g.sound(e, reason, did)
	}
}

// sound repairs an executor's own account of a failure.
func (g *guarded) sound(e *executor.Error, reason executor.Reason, did string) *executor.Error {
	sound := *e
	sound.Reason, sound.Err = cmp.Or(e.Reason, reason), errtree.Tame(e.Err)
	if sound.Message == "" {
		sound.Message = g.failure("", did, nil).Message
	}
	return &sound
}

// answer is what a method returned.
type answer[T any] struct {
	value T
	err   error
}

// askGrace is how long a method may take to return once its context has ended.
const askGrace = 2 * time.Second

// ask calls a method of the executor, and returns at the latest askGrace after
// ctx has ended. A later answer is handed to late, which may be nil.
func ask[T any](ctx context.Context, g *guarded, method string, call func() (T, error), late func(T)) (T, error) {
	answers, left := make(chan answer[T]), make(chan struct{})
	defer close(left)
	// If ctx ends, nobody waits for this goroutine: it belongs to the executor,
	// which does not return.
	go func() {
		var a answer[T]
		func() {
			defer func() {
				if p := recover(); p != nil {
					a.err = g.panicked(method, p)
				}
			}()
			a.value, a.err = call()
		}()
		select {
		case answers <- a:
		case <-left:
			if late != nil && a.err == nil {
				late(a.value)
			}
		}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), askGrace)
	defer cancel()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-grace.Done():
		return *new(T), g.failure(executor.LaunchFailed, fmt.Sprintf("does not return from %s, though its context ended %v ago", method, askGrace), context.Cause(ctx))
	}
}

// Start starts a worker, guarded like its executor.
func (g *guarded) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	return g.begin(ctx, "Start", inv, func(inv executor.Invocation) (executor.Worker, error) { return g.Executor.Start(ctx, inv) })
}

// Attach finds a worker, guarded like its executor.
func (g *guarded) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	return g.begin(ctx, "Attach", inv, func(inv executor.Invocation) (executor.Worker, error) {
		return g.Executor.Attach(ctx, inv, handle)
	})
}

func (g *guarded) begin(ctx context.Context, method string, inv executor.Invocation, begin func(executor.Invocation) (executor.Worker, error)) (executor.Worker, error) {
	w := &guardedWorker{guarded: g, log: onlyWhile{take: inv.Log}}
	if g.here && inv.Work != nil {
		w.work = &onlyOnce{work: inv.Work, returned: make(chan struct{})}
		inv.Work = w.work.run
	}
	if inv.Log != nil {
		inv.Log = w.log.write
	}
	// If the worker starts after we gave up on it, stop it again.
	late := func(inner executor.Worker) {
		if inner != nil {
			w.inner = inner
			w.stopAnyhow(ctx)
		}
	}
	inner, err := ask(ctx, g, method, func() (executor.Worker, error) { return begin(inv) }, late)
	if v := reflect.ValueOf(inner); err == nil && (!v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()) {
		err = errors.New("there is neither a worker nor an error")
	}
	if err != nil {
		w.end()
		if method == "Start" {
			late(inner)
		}
		return nil, g.failed(executor.LaunchFailed, "failed in "+method, err)
	}
	w.inner = inner
	return w, nil
}

// guardedWorker is a worker of a guarded executor.
type guardedWorker struct {
	*guarded
	inner executor.Worker
	work  *onlyOnce // nil for workers elsewhere
	log   onlyWhile
}

func (w *guardedWorker) Handle() (handle string) {
	defer func() {
		if recover() != nil || !isPrintable(handle, mostHandle) {
			handle = "" // then nobody can find the worker again
		}
	}()
	return w.inner.Handle()
}

func (w *guardedWorker) Wait(ctx context.Context) (executor.Exit, error) {
	exit, err := ask(ctx, w.guarded, "Wait", func() (executor.Exit, error) { return w.inner.Wait(ctx) }, nil)
	if err != nil && ctx.Err() != nil {
		return executor.Exit{}, ctx.Err()
	}
	if err != nil {
		w.stopAnyhow(ctx)
		exit = executor.Exit{Code: -1, Err: w.failure(executor.WorkerLost, "failed in Wait, and its worker was stopped", errtree.Tame(err))}
	}
	if w.work != nil && !w.work.ended(ctx) {
		return executor.Exit{}, ctx.Err() // the executor says that it has ended, but it has not
	}
	w.end()
	return w.judged(exit), nil
}

// judged fills in what an exit must say.
func (w *guardedWorker) judged(exit executor.Exit) executor.Exit {
	switch {
	case exit.Err != nil:
		exit.Err = w.sound(exit.Err, executor.WorkerFailed, fmt.Sprintf("says no more than that its worker ended with code %d", exit.Code))
	case w.work != nil && !w.work.called():
		exit.Err = w.failure(executor.NoResult, "ended its worker without calling its work", nil)
	case w.work == nil && exit.Code != executor.ExitOK && exit.Code != executor.ExitFunc && exit.Code != executor.ExitLost:
		exit.Err = w.failure(executor.WorkerFailed, fmt.Sprintf("says no more than that its worker ended with code %d", exit.Code), nil)
	}
	return exit
}

func (w *guardedWorker) Stop(ctx context.Context) error {
	_, err := ask(ctx, w.guarded, "Stop", func() (struct{}, error) { return struct{}{}, w.inner.Stop(ctx) }, nil)
	if w.work != nil { // we know by ourselves whether the work still runs
		w.work.cancel()
		if err = nil; !w.work.ended(ctx) {
			err = ctx.Err()
		}
	}
	w.end()
	if err != nil {
		return w.failed(executor.WorkerLost, "could not stop its worker", err)
	}
	return nil
}

// stopAnyhow stops a worker in an unknown state.
func (w *guardedWorker) stopAnyhow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	_ = w.Stop(ctx) // the failure was reported already
}

func (w *guardedWorker) Release() {
	defer func() { _ = recover() }()
	defer w.end()
	w.inner.Release()
}

// end closes what we gave the executor.
func (w *guardedWorker) end() {
	w.log.end()
	if w.work != nil {
		w.work.refuse()
	}
}
