package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// flightKey tells apart calls that cannot share a flight: one of them may use,
// keep or compute what another may not.
type flightKey struct {
	root           *root
	path           string
	refresh        bool
	readOnly       bool
	requireResults bool
	keepErrors     bool
	codeCheck      code.Policy
	storageTTL     time.Duration
	alone          uint64 // unique for a call without store, which shares with no other
}

// resultKey names a result.
type resultKey struct {
	root *root
	path string
}

// flight is one call under way in this process, with all callers that wait for
// it. It ends when it has an outcome, and is cancelled when its last waiter
// leaves.
type flight struct {
	engine *Engine
	key    flightKey
	call   Call
	root   *root // nil with Off
	place  memo.Place
	chain  worker.Chain // of the call that started it
	asked  time.Time    // when that call was made

	values context.Context // of the first caller, until the flight has its own
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when outcome and err are set

	tale         tale
	pool         *pool // nil: no limit
	slot         worker.Slot
	miss         *miss              // why it is computed, and what it replaces
	incompatible *incompatibleError // why it uses its exact key; see exactly
	outcome      Outcome            // of a failure, its place
	err          error

	// Under engine.mu:
	waiters  int
	dying    bool
	queue    slots.Queue     // where it waits, or waited, without a goroutine
	cause    error           // why it is dying
	awaiting map[*flight]int // flights that this one's function waits for
	onEnd    []func()
}

// Leave says what Do does when the caller's context ends.
type Leave bool

// The ways to leave a call.
const (
	LeaveAtOnce  Leave = false // return; stop in the background what has to be stopped
	LeaveSettled Leave = true  // first stop what no other caller waits for
)

// Do makes a call and waits for its outcome, which says how this caller came to
// it.
func (e *Engine) Do(ctx context.Context, c Call, leave Leave) (Outcome, error) {
	outcome, err := e.do(ctx, c, leave)
	worker.FromContext(ctx).Makes(outcome.Place)
	return outcome, err
}

func (e *Engine) do(ctx context.Context, c Call, leave Leave) (Outcome, error) {
	outcome, known, hit := e.glance(ctx, &c, time.Now())
	if hit {
		return outcome, nil
	}
	f, leads, err := e.join(ctx, c)
	if err != nil {
		return Outcome{}, err
	}
	if leads {
		// Answer a hit here, on the caller's goroutine.
		switch f.lookup(ctx, known) {
		case answered:
			f.leave(ctx, nil)
			return f.result()
		case absent:
			f.takesOff(f.compute)
		case incompatible:
			f.takesOff(f.exactly)
		case interrupted: // this caller leaves; others may still want an answer
			f.takesOff(f.lookAndCompute)
		}
	}
	outcome, err = f.wait(ctx, leave)
	if !leads && outcome.How == Computed {
		outcome.How = Awaited
	}
	return outcome, err
}

// join finds or makes the flight of a call, and counts the caller in.
func (e *Engine) join(ctx context.Context, c Call) (f *flight, leads bool, err error) {
	place, by, asked := unkept(c), callerOf(ctx), time.Now()
	var r *root
	if !c.Off {
		if r, err = e.root(ctx, c.Root); err != nil {
			return nil, false, err
		}
		place.Store = r.store
	}
	var chain worker.Chain
	if running := worker.FromContext(ctx); running != nil {
		chain = running.Chain
	}
	if chain.Contains(place.Key) {
		return nil, false, fmt.Errorf("%s: %w: it is being computed further up this chain of calls, with the same input", place.URI(), ErrCycle)
	}
	for {
		f, leads, err := e.tryJoin(&flight{engine: e, call: c, root: r, place: place, chain: chain, values: ctx, tale: tale{caller: by}})
		if err == nil && !leads {
			f.tellIn(ctx, event.Event{Kind: event.Joined, Asked: asked, Caller: by.uri, CallerCall: by.number})
		}
		if !errors.Is(err, errDying) {
			return f, leads, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, false, causeOf(ctx)
		}
	}
}

// errDying says that the flight was cancelled and is cleaning up.
var errDying = errors.New("the flight was cancelled")

// tryJoin counts the caller into an earlier flight of the same call, or else
// into the new one.
func (e *Engine) tryJoin(new *flight) (f *flight, leads bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, false, ErrClosed
	}
	c, r, place := new.call, new.root, new.place
	key := flightKey{
		root: r, path: place.Path, refresh: c.Refresh && !e.refreshed[resultKey{r, place.Path}],
		readOnly: c.ReadOnly, requireResults: c.RequireResults, keepErrors: c.KeepErrors, codeCheck: c.CodeCheck, storageTTL: c.StorageTTL,
	}
	if c.Off {
		e.alone++
		key.alone = e.alone
	}
	f, found := e.flights[key]
	switch {
	case found && f.dying:
		return f, false, errDying
	case !found:
		f = new
		f.key, f.asked, f.tale.number, f.done = key, time.Now(), event.NextCall(), make(chan struct{})
		e.flights[key] = f
		e.owned.Add(1) // here, since nothing may be added once Close waits
	}
	if caller := e.flightOf(new.values); caller != nil {
		if f.reaches(caller) {
			return nil, false, fmt.Errorf("%s: %w: it waits for a call that is being made by %s", place.URI(), ErrCycle, caller.place.URI())
		}
		caller.awaits(f, +1)
	}
	f.waiters++
	return f, !found, nil
}

type callerKey struct{}

// inFlight is the context of the function that a flight runs in this process.
func inFlight(ctx context.Context, f *flight) context.Context {
	return context.WithValue(ctx, callerKey{}, f)
}

// flightOf is the flight whose function makes a call, if this engine runs it.
func (e *Engine) flightOf(ctx context.Context) *flight {
	if f, ok := ctx.Value(callerKey{}).(*flight); ok && f.engine == e {
		return f
	}
	return nil
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

// reaches reports whether f waits for target, directly or through others. Under
// engine.mu.
func (f *flight) reaches(target *flight) bool {
	seen := map[*flight]bool{}
	var visit func(*flight) bool
	visit = func(at *flight) bool {
		if at == target {
			return true
		}
		if seen[at] || at.ended() {
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

// wait returns when the flight or the caller's context has ended. Meanwhile the
// function that makes the call gives its slot back.
func (f *flight) wait(ctx context.Context, leave Leave) (outcome Outcome, err error) {
	err = worker.FromContext(ctx).Wait(ctx, func() error {
		select {
		case <-f.done:
			f.leave(ctx, nil)
			outcome, _ = f.result()
			return f.err
		case <-ctx.Done():
			if last := f.leave(ctx, causeOf(ctx)); last && leave == LeaveSettled {
				<-f.done
			}
			return causeOf(ctx)
		}
	})
	return outcome, err
}

// causeOf is why a caller's context ended: the caller's own error, so it is
// tamed.
func causeOf(ctx context.Context) error { return errtree.Tame(context.Cause(ctx)) }

// leave counts a caller out. If the last one leaves before the end, the flight
// is cancelled.
func (f *flight) leave(ctx context.Context, cause error) (last bool) {
	f.engine.mu.Lock()
	defer f.engine.mu.Unlock()
	if caller := f.engine.flightOf(ctx); caller != nil {
		caller.awaits(f, -1)
	}
	if f.waiters--; f.waiters == 0 && cause != nil {
		f.giveUp(cause)
		return true
	}
	return false
}

// takesOff gives the flight a context of its own, with the values of the first
// caller's: callers come and go. A hit never needs one.
func (f *flight) takesOff(run func()) {
	e := f.engine
	e.mu.Lock()
	f.ctx, f.cancel = context.WithCancelCause(context.WithoutCancel(f.values))
	f.values = nil
	if f.dying {
		f.cancel(f.cause)
	}
	e.mu.Unlock()
	e.owned.Go(run)
}

// giveUp cancels the flight, and takes it out of the queue for a slot. Under
// engine.mu.
func (f *flight) giveUp(cause error) {
	f.dying, f.cause = true, cause
	if f.cancel != nil {
		f.cancel(cause)
	}
	if f.queue != nil {
		f.queue.Withdraw(f.slot.Holder)
	}
}

// end sets the outcome and wakes all waiters.
func (f *flight) end(outcome Outcome, err error) {
	if outcome.Place.Path == "" { // else it is an old home, or the exact key's
		outcome.Place = f.place
	}
	f.outcome, f.err = outcome, err
	f.tellEnded(outcome, err)
	e := f.engine
	defer e.owned.Done()
	e.mu.Lock()
	if e.flights[f.key] == f {
		delete(e.flights, f.key)
	}
	if f.key.refresh && err == nil && !outcome.Unkept {
		e.refreshed[resultKey{f.root, f.place.Path}] = true
	}
	close(f.done)
	onEnd := f.onEnd
	f.onEnd = nil
	e.mu.Unlock()
	if f.cancel != nil {
		f.cancel(nil)
	}
	for _, do := range onEnd {
		do()
	}
}

// result is the outcome of a flight that has ended; of a failure, only the
// place.
func (f *flight) result() (Outcome, error) { return f.outcome, f.err }

// whenEnded calls do when the flight has ended, at once if it already has.
func (f *flight) whenEnded(do func()) {
	f.engine.mu.Lock()
	ended := f.ended()
	if !ended {
		f.onEnd = append(f.onEnd, do)
	}
	f.engine.mu.Unlock()
	if ended {
		do()
	}
}

func (f *flight) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}
