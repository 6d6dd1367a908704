package orchestrate

import (
	"context"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// Handle is a call that was started. It is safe for concurrent use.
type Handle struct {
	flight *flight
	ctx    context.Context // under which it was started
	leads  bool
	unhook func() bool
	left   chan struct{} // closed when the handle was given up
	once   sync.Once
}

// Start begins a call. It is given up when ctx ends.
func (e *Engine) Start(ctx context.Context, c Call) (*Handle, error) {
	if c.Off {
		f := &flight{engine: e, call: c, place: unkept(c), done: make(chan struct{}), waiters: 1}
		f.ctx, f.cancel = context.WithCancelCause(ctx)
		e.owned.Go(func() { f.end(e.off(f.ctx, c)) })
		return newHandle(ctx, f, true), nil
	}
	f, leads, err := e.join(ctx, c)
	if err != nil {
		return nil, err
	}
	if leads {
		e.owned.Go(f.takeOff)
	}
	return newHandle(ctx, f, leads), nil
}

func newHandle(ctx context.Context, f *flight, leads bool) *Handle {
	h := &Handle{flight: f, ctx: ctx, leads: leads, left: make(chan struct{})}
	h.unhook = context.AfterFunc(ctx, func() { h.Cancel(context.Cause(ctx)) })
	return h
}

// takeOff looks for the result, and computes on a goroutine of its own: that
// one starts with a small stack, and a hundred thousand may wait in it.
func (f *flight) takeOff() {
	switch f.lookup(f.ctx) {
	case missed:
		f.engine.owned.Go(f.compute)
	case interrupted:
		f.end(Outcome{}, context.Cause(f.ctx))
	}
}

// URI is the memo URI of the call.
func (h *Handle) URI() string { return h.flight.place.URI() }

// Done is closed when the call has ended.
func (h *Handle) Done() <-chan struct{} { return h.flight.done }

// Ended reports whether the call has ended.
func (h *Handle) Ended() bool {
	select {
	case <-h.flight.done:
		return true
	default:
		return false
	}
}

// Outcome is the outcome of a call that has ended.
func (h *Handle) Outcome() Outcome {
	outcome := h.flight.outcome
	if !h.leads && outcome.How == Computed {
		outcome.How = Awaited
	}
	return outcome
}

// Wait returns when the call has ended, was given up, or ctx has ended.
func (h *Handle) Wait(ctx context.Context) (outcome Outcome, err error) {
	err = worker.FromContext(ctx).Wait(ctx, func() error {
		select {
		case <-h.flight.done:
			h.unhook()
			outcome = h.Outcome()
			return h.flight.err
		case <-h.left:
			return context.Canceled
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return outcome, err
}

// Cancel gives the call up: what runs for it is stopped unless others wait for it.
func (h *Handle) Cancel(cause error) {
	h.once.Do(func() {
		close(h.left)
		h.flight.leave(h.ctx, cause)
	})
}
