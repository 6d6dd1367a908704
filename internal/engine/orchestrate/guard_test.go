package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// foreign is a foreign executor that keeps its contract except where a test
// changes that.
type foreign struct {
	start  func(ctx context.Context, inv executor.Invocation) (executor.Worker, error)
	handle func() string
}

func (*foreign) Name() string   { return "foreign" }
func (*foreign) RunsHere() bool { return true }

func (f *foreign) HandleOf(executor.Invocation) string {
	if f.handle == nil {
		return ""
	}
	return f.handle()
}

func (f *foreign) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	return f.start(ctx, inv)
}

func (f *foreign) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	return nil, executor.ErrGone
}

// foreignWorker runs the work when it is waited for.
type foreignWorker struct {
	work func() int
	wait func(ctx context.Context) (executor.Exit, error)
	stop func() error
}

func (w *foreignWorker) Handle() string { return "" }
func (w *foreignWorker) Release()       {}

func (w *foreignWorker) Wait(ctx context.Context) (executor.Exit, error) {
	if w.wait != nil {
		return w.wait(ctx)
	}
	return executor.Exit{Code: w.work()}, nil
}

func (w *foreignWorker) Stop(context.Context) error {
	if w.stop != nil {
		return w.stop()
	}
	return nil
}

// The kind of fault: a foreign executor breaks its contract, and takes the
// program with it, or a call never ends. Whatever the executor does, the call
// ends, with its result or with an error that names the executor; nothing is
// computed twice, and the next call on a sound executor has the result.
func TestExecutorsThatBreakTheirContract(t *testing.T) {
	over := make(chan struct{})
	type way struct {
		executor foreign
		wait     func(ctx context.Context, work func() int) (executor.Exit, error)
		stop     func() error
		says     string // "": it succeeds
		cancel   bool   // it hangs until then
	}
	exits := func(exit executor.Exit, err error) func(context.Context, func() int) (executor.Exit, error) {
		return func(context.Context, func() int) (executor.Exit, error) { return exit, err }
	}
	starts := func(w executor.Worker, err error) foreign {
		return foreign{start: func(context.Context, executor.Invocation) (executor.Worker, error) { return w, err }}
	}
	hangs := func() { <-over }
	for name, w := range map[string]way{
		"keeps it":                  {},
		"panics in Start":           {executor: foreign{start: func(context.Context, executor.Invocation) (executor.Worker, error) { panic("no") }}, says: "panicked in Start"},
		"panics in Wait":            {wait: func(context.Context, func() int) (executor.Exit, error) { panic("no") }, says: "panicked in Wait"},
		"panics in HandleOf":        {executor: foreign{handle: func() string { panic("no") }}, says: "panicked in HandleOf"},
		"has a handle of rubbish":   {executor: foreign{handle: func() string { return "\x00" }}, says: "handle"},
		"starts nothing":            {executor: starts(nil, nil), says: "neither a worker nor an error"},
		"starts a nil worker":       {executor: starts((*foreignWorker)(nil), nil), says: "neither a worker nor an error"},
		"fails in Start":            {executor: starts(nil, errors.New("no room")), says: "no room"},
		"fails with a nil error":    {executor: starts(nil, (*executor.Error)(nil)), says: "foreign"},
		"never calls its work":      {wait: exits(executor.Exit{}, nil), says: "without calling its work"},
		"makes up a code":           {wait: exits(executor.Exit{Code: 77}, nil), says: "foreign"},
		"fails in Wait":             {wait: exits(executor.Exit{}, errors.New("lost it")), says: "lost it"},
		"says nothing of a failure": {wait: exits(executor.Exit{Code: -1, Err: &executor.Error{}}, nil), says: "foreign"},
		"calls its work twice": {wait: func(_ context.Context, work func() int) (executor.Exit, error) {
			return executor.Exit{Code: work() + 0*work()}, nil
		}},
		"calls its work and fails": {wait: func(_ context.Context, work func() int) (executor.Exit, error) {
			return executor.Exit{Code: work()}, errors.New("lost it")
		}},
		"calls its work too late": {wait: func(_ context.Context, work func() int) (executor.Exit, error) {
			go func() { hangs(); work() }()
			return executor.Exit{}, nil
		}, says: "without calling its work"},
		"hangs in Start": {executor: foreign{start: func(context.Context, executor.Invocation) (executor.Worker, error) { hangs(); return nil, nil }}, cancel: true},
		"hangs in Wait":  {wait: func(context.Context, func() int) (executor.Exit, error) { hangs(); return executor.Exit{}, nil }, cancel: true},
		"hangs in Stop": {wait: func(ctx context.Context, _ func() int) (executor.Exit, error) {
			<-ctx.Done()
			return executor.Exit{}, ctx.Err()
		}, stop: func() error { hangs(); return nil }, cancel: true},
		"panics in Stop": {wait: func(ctx context.Context, _ func() int) (executor.Exit, error) {
			<-ctx.Done()
			return executor.Exit{}, ctx.Err()
		}, stop: func() error { panic("no") }, cancel: true},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				over = make(chan struct{})
				f := w.executor
				if f.start == nil {
					f.start = func(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
						fw := &foreignWorker{work: func() int { return inv.Work(ctx) }, stop: w.stop}
						if w.wait != nil {
							fw.wait = func(ctx context.Context) (executor.Exit, error) { return w.wait(ctx, fw.work) }
						}
						return fw, nil
					}
				}
				at, err := Guard(&f, unsaid)
				if err != nil {
					t.Fatal(err)
				}
				a := r.program("a", at)
				ctx, cancel := context.WithCancel(r.Context())
				call := a.begin(ctx, 1)
				if w.cancel {
					time.Sleep(time.Minute)
					cancel()
				}
				select {
				case got := <-call:
					switch {
					case w.cancel && !errors.Is(got.err, context.Canceled) && !strings.Contains(fmt.Sprint(got.err), "foreign"):
						r.Errorf("it ended with %d, %v", got.out, got.err)
					case w.cancel:
					case w.says == "":
						r.want(got, 2, Computed)
					case got.err == nil || !strings.Contains(got.err.Error(), w.says):
						r.Errorf("it ended with %d, %v, which does not say %q", got.out, got.err, w.says)
					}
				case <-time.After(10 * time.Minute):
					r.Error("the call does not end")
				}
				cancel()
				ran := r.ran(1)
				r.want(r.program("b", here()).do(r.Context(), 1), 2, map[bool]How{true: Hit, false: Computed}[ran > 0])
				r.wantRuns(1, 1)
				close(over)
			})
		})
	}
}
