package orchestrate

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/progress"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// flightKey tells calls apart that cannot share a flight.
type flightKey struct {
	uri     string
	refresh bool
}

// flight is one call under way in this process, with all who wait for it. It
// ends when it has an outcome, and is cancelled when its last waiter leaves.
type flight struct {
	engine *Engine
	key    flightKey
	call   Call
	root   *root
	place  memo.Place
	chain  *worker.Chain // of the call that started it

	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when outcome and err are set

	item    *progress.Item // from when it is computed
	pool    *pool          // nil: no limit
	miss    miss           // why it is computed, and over what
	outcome Outcome
	err     error

	// Under engine.mu:
	waiters  int
	dying    bool
	awaiting map[*flight]int // flights that this one's function waits for
}

// Leave is what Do does when the caller's context ends.
type Leave bool

// The ways to leave a call.
const (
	LeaveAtOnce  Leave = false // return; what has to be stopped is stopped behind
	LeaveSettled Leave = true  // return when what nobody else waits for is stopped
)

// Do makes a call and waits for its outcome. How tells how this caller came to it.
func (e *Engine) Do(ctx context.Context, c Call, leave Leave) (Outcome, error) {
	if c.Off {
		return e.off(ctx, c)
	}
	f, leads, err := e.join(ctx, c)
	if err != nil {
		return Outcome{}, err
	}
	if leads {
		// A hit is answered here, on the caller's goroutine.
		switch f.lookup(ctx) {
		case answered:
			f.leave(ctx, nil)
			return f.outcome, f.err
		case missed:
			e.owned.Go(f.compute)
		case interrupted: // this caller leaves; others may still want an answer
			e.owned.Go(f.takeOff)
		}
	}
	outcome, err := f.wait(ctx, leave)
	if !leads && outcome.How == Computed {
		outcome.How = Awaited
	}
	return outcome, err
}

// join finds the flight of a call or makes it, and counts the caller in.
func (e *Engine) join(ctx context.Context, c Call) (f *flight, leads bool, err error) {
	r, err := e.root(ctx, c.Root)
	if err != nil {
		return nil, false, err
	}
	key := c.key()
	place := memo.Place{Store: r.store, Path: c.path(key), Key: key}
	running := worker.FromContext(ctx)
	if running != nil && running.Chain.Contains(key) {
		return nil, false, fmt.Errorf("%s: %w: it is being computed further up this chain of calls, with the same input", place.URI(), ErrCycle)
	}
	for {
		f, leads, dying, err := e.tryJoin(ctx, c, r, place, running)
		if dying == nil {
			return f, leads, err
		}
		select { // it was cancelled, and cleans up
		case <-dying.done:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

func (e *Engine) tryJoin(ctx context.Context, c Call, r *root, place memo.Place, running *worker.Running) (f *flight, leads bool, dying *flight, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, false, nil, ErrClosed
	}
	uri := place.URI()
	if c.Refresh && e.refreshed[uri] {
		c.Refresh = false
	}
	key := flightKey{uri: uri, refresh: c.Refresh}
	f, found := e.flights[key]
	switch {
	case found && f.dying:
		return nil, false, f, nil
	case !found:
		f = &flight{engine: e, key: key, call: c, root: r, place: place, done: make(chan struct{})}
		if running != nil {
			f.chain = running.Chain
		}
		f.ctx, f.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
		e.flights[key] = f
	}
	if caller := flightOf(running); caller != nil {
		if f.reaches(caller) {
			return nil, false, nil, fmt.Errorf("%s: %w: it waits for a call that is being made by %s", uri, ErrCycle, caller.key.uri)
		}
		caller.awaits(f, +1)
	}
	f.waiters++
	return f, !found, nil, nil
}

func flightOf(running *worker.Running) *flight {
	if running == nil {
		return nil
	}
	f, _ := running.Flight.(*flight)
	return f
}

// awaits counts that f's function waits for other. Under engine.mu.
func (f *flight) awaits(other *flight, n int) {
	if f.awaiting == nil {
		f.awaiting = map[*flight]int{}
	}
	if f.awaiting[other] += n; f.awaiting[other] <= 0 {
		delete(f.awaiting, other)
	}
}

// reaches reports whether f waits for target, through others or at once.
// Under engine.mu.
func (f *flight) reaches(target *flight) bool {
	seen := map[*flight]bool{}
	var visit func(*flight) bool
	visit = func(at *flight) bool {
		if at == target {
			return true
		}
		if seen[at] {
			return false
		}
		seen[at] = true
		for next := range at.awaiting {
			if visit(next) {
				return true
			}
		}
		return false
	}
	return visit(f)
}

// wait returns when the flight has ended, or the caller's context has. In the
// function that it is called from, it gives the slot back meanwhile.
func (f *flight) wait(ctx context.Context, leave Leave) (outcome Outcome, err error) {
	err = worker.FromContext(ctx).Wait(ctx, func() error {
		select {
		case <-f.done:
			f.leave(ctx, nil)
			outcome = f.outcome
			return f.err
		case <-ctx.Done():
			if last := f.leave(ctx, context.Cause(ctx)); last && leave == LeaveSettled {
				<-f.done
			}
			return context.Cause(ctx)
		}
	})
	return outcome, err
}

// leave counts a caller out; the last one who leaves before the end cancels the flight.
func (f *flight) leave(ctx context.Context, cause error) (last bool) {
	f.engine.mu.Lock()
	defer f.engine.mu.Unlock()
	if caller := flightOf(worker.FromContext(ctx)); caller != nil {
		caller.awaits(f, -1)
	}
	if f.waiters--; f.waiters == 0 && cause != nil {
		f.dying = true
		f.cancel(cause)
		return true
	}
	return false
}

// end sets the outcome and wakes all who wait.
func (f *flight) end(outcome Outcome, err error) {
	f.outcome, f.err = outcome, err
	e := f.engine
	e.mu.Lock()
	if e.flights[f.key] == f {
		delete(e.flights, f.key)
	}
	if f.key.refresh && err == nil {
		e.refreshed[f.key.uri] = true
	}
	e.mu.Unlock()
	close(f.done)
	f.cancel(nil)
}
