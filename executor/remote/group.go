package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Pack puts calls of one function together, where a connection and a worker for each
// would cost more than the call: a worker takes one call after another from a list, for
// about this long. How many calls that is, mops learns from how long they take. Each call
// keeps its own result, error, lease and log. A call that kills its worker is run again
// in one of its own.
//
// A minute is a good choice. The default, 0 or less, is a worker for each call.
func Pack(work time.Duration) Option {
	return func(e *Executor) { e.pack = max(work, 0) }
}

// SideBySide sets how many calls a worker computes side by side where calls are put
// together; see [Pack]. The default, 0 or less, is 1 with [Slurm], where each worker is
// a job, and else as many as [Limit] allows: one worker computes all.
func SideBySide(calls int) Option {
	return func(e *Executor) { e.sideBySide = max(calls, 0) }
}

// Packing says how calls are put together; see [Pack].
func (e *Executor) Packing() executor.Packing {
	if e.pack == 0 {
		return executor.Packing{}
	}
	side := e.sideBySide
	switch {
	case side > 0:
	case e.stage == executor.Queued:
		side = 1
	case e.limit > 0:
		side = e.limit
	default:
		side = usualLimit
	}
	return executor.Packing{Work: e.pack, Side: side, Most: e.limit, Kind: fmt.Sprintf("%p", e)}
}

// packWindow is how many calls that are put together the engine lets in: enough for the
// next lists, and a bound for the memory of a program that makes millions of calls.
const packWindow = 10_000

// replacements is how often each worker of a group is replaced after it died.
const replacements = 5

// group is the workers that share an invocation. Each has a goroutine that watches it,
// and starts another in its place if it dies.
type group struct {
	e    *Executor
	inv  executor.Invocation
	name string
	done signal // given when all have ended, or are watched no more

	mu       sync.Mutex
	workers  []*worker
	running  []bool // which of them have begun
	replaces bool   // dead workers: while this process started them, and nobody stopped them
	over     bool   // one came to the end of all lists
	released bool
	exit     executor.Exit // zero while none has failed for good
}

func (e *Executor) group(inv executor.Invocation, name string) *group {
	n := inv.Workers
	return &group{e: e, inv: inv, name: name, done: newSignal(), workers: make([]*worker, n), running: make([]bool, n)}
}

// place is the invocation of one of them.
func (g *group) place(index int) executor.Invocation {
	inv := g.inv
	inv.Env = append(slices.Clone(inv.Env), fmt.Sprintf("%s=%d", executor.IndexVariable, index))
	if index > 0 {
		inv.Explain = nil // the others wait for the same
	}
	inv.Tell = func(stage executor.Stage) {
		if stage != executor.Running {
			return
		}
		g.mu.Lock()
		first := !slices.Contains(g.running, true)
		g.running[index] = true
		g.mu.Unlock()
		if first && g.inv.Tell != nil {
			g.inv.Tell(stage)
		}
	}
	return inv
}

func (g *group) nameOf(index int) string { return fmt.Sprintf("%s-%d", g.name, index) }

// startGroup starts all workers of an invocation that many share.
func (e *Executor) startGroup(inv executor.Invocation) *group {
	g := e.group(inv, e.HandleOf(inv))
	if inv.Tell != nil {
		inv.Tell(e.stage)
	}
	for index := range g.workers {
		g.workers[index] = e.start(g.place(index), g.nameOf(index))
	}
	g.replaces = true
	g.watch()
	return g
}

// attachGroup finds those workers of a group that run.
func (e *Executor) attachGroup(ctx context.Context, inv executor.Invocation, name string) (*group, error) {
	g := e.group(inv, name)
	var all sync.WaitGroup
	failed := make([]error, len(g.workers))
	for index := range g.workers {
		all.Go(func() { g.workers[index], failed[index] = e.attach(ctx, g.place(index), g.nameOf(index)) })
	}
	all.Wait()
	found := slices.ContainsFunc(g.workers, func(w *worker) bool { return w != nil })
	for _, err := range failed {
		if err != nil && (!found || !errors.Is(err, executor.ErrGone)) {
			g.watch()
			g.Release()
			return nil, err
		}
	}
	g.watch()
	return g, nil
}

// watch sees all workers to their ends.
func (g *group) watch() {
	var all sync.WaitGroup
	for index, w := range g.workers {
		if w != nil {
			all.Go(func() { g.watchOne(index, w) })
		}
	}
	go func() {
		all.Wait()
		g.done.give()
	}()
}

func (g *group) watchOne(index int, w *worker) {
	for try := 1; w != nil; try++ {
		exit, err := w.Wait(context.Background())
		if err != nil {
			return // it was released
		}
		w = g.next(index, exit, try <= replacements)
	}
}

// next takes the end of a worker, and returns the one that is to be watched in its place.
func (g *group) next(index int, exit executor.Exit, may bool) *worker {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[index] = false
	switch {
	case g.over: // it was not needed any more
	case exit.Err == nil:
		g.over = true
		for i, w := range g.workers {
			if w != nil && !g.running[i] {
				w.stopped.give() // it may wait in a queue for long, and there is nothing to do
			}
		}
	case may && g.replaces && exit.Code != executor.ExitUnfit && exit.Err.Reason != executor.LaunchFailed:
		if g.inv.Logger != nil {
			g.inv.Logger.Warn("a worker of a pack died; another takes its place", "worker", g.nameOf(index), "error", exit.Err)
		}
		g.workers[index] = g.e.start(g.place(index), g.nameOf(index))
		return g.workers[index]
	case g.exit.Err == nil:
		g.exit = exit
	}
	return nil
}

func (g *group) Handle() string { return g.name }

// Wait returns when all workers have ended. After Release it fails.
func (g *group) Wait(ctx context.Context) (executor.Exit, error) {
	if err := g.done.wait(ctx); err != nil {
		return executor.Exit{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.released {
		return executor.Exit{}, errReleased(g.name)
	}
	return g.exit, nil
}

// Stop stops all workers; see that of one.
func (g *group) Stop(ctx context.Context) error {
	failed := make([]error, len(g.workers))
	var all sync.WaitGroup
	for index, w := range g.leave(false) {
		if w != nil {
			all.Go(func() { failed[index] = w.Stop(ctx) })
		}
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return g.done.wait(ctx)
}

// Release lets all workers run on, unwatched.
func (g *group) Release() {
	for _, w := range g.leave(true) {
		if w != nil {
			w.Release()
		}
	}
	<-g.done.c
}

// leave returns the last workers: no more take their places.
func (g *group) leave(released bool) []*worker {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replaces, g.released = false, g.released || released && !g.done.given()
	return slices.Clone(g.workers)
}
