package orchestrate

import (
	"context"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
)

// Handle is a call that was started. It is safe for concurrent use.
type Handle struct {
	flight *flight
	ctx    context.Context // under which the call was started
	leads  bool
	left   chan struct{} // closed when the call was given up
	cause  error         // why; read it after left is closed
	once   sync.Once     // guards giving up and ending
}

// Start begins a call, and gives it up when ctx ends.
func (e *Engine) Start(ctx context.Context, c Call) (*Handle, error) {
	f, leads, err := e.join(ctx, c)
	if err != nil {
		return nil, err
	}
	if leads {
		f.takesOff(f.lookAndCompute)
	}
	return newHandle(ctx, f, leads), nil
}

func newHandle(ctx context.Context, f *flight, leads bool) *Handle {
	h := &Handle{flight: f, ctx: ctx, leads: leads, left: make(chan struct{})}
	unhook := context.AfterFunc(ctx, func() { h.Cancel(causeOf(ctx)) })
	// An ended call leaves nothing attached to the context, even if nobody
	// waits for it.
	f.whenEnded(func() {
		unhook()
		h.once.Do(func() { f.leave(ctx, nil) })
	})
	return h
}

// lookAndCompute looks for the result, and else computes it on a new goroutine:
// that one starts with a small stack, and a hundred thousand may wait in it.
func (f *flight) lookAndCompute() {
	switch f.lookup(f.ctx, nil) {
	case absent:
		f.engine.owned.Go(f.compute)
	case incompatible:
		f.exactly()
	case interrupted:
		f.end(Outcome{}, context.Cause(f.ctx))
	}
}

// URI is the memo URI of the call.
func (h *Handle) URI() string { return h.flight.place.URI() }

// Done is closed when the call has ended.
func (h *Handle) Done() <-chan struct{} { return h.flight.done }

// Ended reports whether the call has ended.
func (h *Handle) Ended() bool { return h.flight.ended() }

// Outcome is the outcome of a call that has ended.
func (h *Handle) Outcome() Outcome {
	outcome, _ := h.flight.result()
	if !h.leads && outcome.How == Computed {
		outcome.How = Awaited
	}
	return outcome
}

// Wait returns when the call has ended, was given up, or ctx has ended.
func (h *Handle) Wait(ctx context.Context) (Outcome, error) {
	outcome, err := h.wait(ctx)
	worker.FromContext(h.ctx).Makes(outcome.Place)
	return outcome, err
}

func (h *Handle) wait(ctx context.Context) (outcome Outcome, err error) {
	outcome.Place = h.flight.place
	select {
	case <-h.left:
		return outcome, h.cause
	default:
	}
	if h.Ended() {
		return h.Outcome(), h.flight.err
	}
	waits := worker.FromContext(ctx)
	if waits == nil { // a function that made the call may wait under a context of its own
		waits = worker.FromContext(h.ctx)
	}
	err = waits.Wait(ctx, func() error {
		select {
		case <-h.flight.done:
			outcome = h.Outcome()
			return h.flight.err
		case <-h.left:
			return h.cause
		case <-ctx.Done():
			return causeOf(ctx)
		}
	})
	return outcome, err
}

// Cancel gives the call up: whatever runs for it is stopped unless others wait
// for it. An ended call keeps its outcome.
func (h *Handle) Cancel(cause error) {
	if h.Ended() {
		return // the flight settles the handle, if it has not yet
	}
	h.once.Do(func() {
		h.cause = cause
		close(h.left)
		h.flight.leave(h.ctx, cause)
	})
}
