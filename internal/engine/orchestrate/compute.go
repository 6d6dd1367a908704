package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// compute brings a flight to its end once its executor has a free slot. A
// hundred thousand flights may wait for one, so if the slots belong to this
// process, a waiting flight holds no goroutine.
func (f *flight) compute() {
	if f.pool = f.engine.pool(f.call.Executor); f.pool == nil {
		f.inSlot(nil)
		return
	}
	f.slot = worker.Slot{Pool: f.pool, Holder: lease.NewID()}
	queue, ok := f.pool.Pool.(slots.Queue)
	if !ok {
		f.tellWaitsForSlot(always)
		f.inSlot(f.slot.Pool.Acquire(f.ctx, f.slot.Holder))
		return
	}
	switch got, dying := f.enqueue(queue); {
	case dying:
		f.inSlot(context.Cause(f.ctx))
	case got:
		f.inSlot(nil) // a slot was free: no need for another goroutine
	default: // meanwhile it may have gone on
		f.tellWaitsForSlot(func(t *tale) bool { return !t.moved })
	}
}

// enqueue takes a free slot, or has the flight go on when there is one. The
// queue does not know of contexts; giveUp takes a cancelled flight out of it.
// So both hold the engine's mutex, and neither can come in between.
func (f *flight) enqueue(queue slots.Queue) (got, dying bool) {
	f.engine.mu.Lock()
	defer f.engine.mu.Unlock()
	if f.dying {
		return false, true
	}
	f.queue = queue
	return queue.Enqueue(f.slot.Holder, func(err error) { f.engine.owned.Go(func() { f.inSlot(err) }) }), false
}

// inSlot computes the call in its slot, unless err says that waiting for one
// failed.
func (f *flight) inSlot(err error) {
	if err != nil {
		f.land(Outcome{}, f.cancelled(err))
		return
	}
	f.land(f.computed())
}

// land ends the flight with what its computing came to.
func (f *flight) land(outcome Outcome, err error) {
	f.slot.Release()
	if other, found := isIncompatible(err); found { // another program put it while this flight waited
		f.incompatible = other
		f.exactly()
		return
	}
	f.end(outcome, err)
}

// computed computes the call. If an executor or another part of the program
// panics on the way, the call ends, not the program.
func (f *flight) computed() (outcome Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			outcome, err = Outcome{}, failureOf(p)
		}
	}()
	if f.call.Off || f.call.ReadOnly {
		return f.computeUnkept()
	}
	return f.underLease()
}

// failureOf turns a panic into an error.
func failureOf(panicked any) error {
	if e, ok := panicked.(*executor.Error); ok {
		return e
	}
	return fmt.Errorf("mops panicked while it made the call: %v\n%s", panicked, debug.Stack())
}

const (
	// mostLosses is how often a call may lose its lease while it is computed
	// before it fails: a broken worker could report a lost lease for ever.
	mostLosses = 3

	// mostUnseen is how often a write may find a lease that the next read does
	// not. Once is normal: somebody removed the call at that moment.
	mostUnseen = 8
)

// underLease computes the call under its lease, or waits for the session that
// holds it.
func (f *flight) underLease() (Outcome, error) {
	var from blob.Version // the version to swap the lease from; "" if there is none
	unseen, pause := 0, f.newPause()
	for losses := 0; ; {
		outcome, err := f.takeAndCompute(from)
		switch {
		case errors.Is(err, lease.ErrLost) && f.ctx.Err() == nil:
			if losses++; losses == mostLosses {
				return Outcome{}, &executor.Error{Reason: executor.LeaseLost, Err: err, Message: fmt.Sprintf(
					"its lease was lost %d times while it was computed; the logs of its runs may say why", losses)}
			}
			f.tell(event.Event{Kind: event.Waiting, Wait: event.ForLease, Reason: executor.LeaseLost, Why: "its lease was lost"})
		case !errors.Is(err, errTaken):
			return outcome, f.cancelled(err)
		}
		seen, err := f.awaitTurn()
		if err != nil || seen.now == over {
			return seen.outcome, f.cancelled(err)
		}
		if from = seen.version; from == "" {
			if unseen++; unseen == mostUnseen {
				return Outcome{}, f.unseen()
			}
			if err := pause.wait(f.ctx, 0); err != nil {
				return Outcome{}, f.cancelled(err)
			}
		}
		if f.pool != nil { // else there is nothing to wait for
			f.tellWaitsForSlot(func(t *tale) bool { return t.wait == event.ForLease })
		}
		if err := f.slot.Resume(f.ctx); err != nil {
			return Outcome{}, f.cancelled(err)
		}
	}
}

// errTaken says that another session has the lease.
var errTaken = errors.New("the lease is somebody else's")

// takeAndCompute takes the lease, if it is still at the version seen, and
// computes the call under it. It fails with errTaken if another session has the
// lease, or later with lease.ErrLost if another took it.
func (f *flight) takeAndCompute(from blob.Version) (Outcome, error) {
	if err := codeKnown(f.ctx, f.call.Function); err != nil { // the records will say it
		return Outcome{}, err
	}
	id := runs.New(lease.NewID(), f.call.Executor.Name(), f.engine.programRun(f.ctx))
	handle := f.firstHandle(id)
	ctx, held, err := f.root.session.Take(f.ctx, f.place.Lease(), from, lease.State{ID: id, Handle: handle})
	switch {
	case blob.Is(err, blob.Exists), blob.Is(err, blob.Mismatch):
		return Outcome{}, errTaken
	case blob.Is(err, blob.Denied):
		return Outcome{}, errors.Join(err, errors.New("a root that you may only read can be used with the option ReadOnly (MOPS_READ_ONLY=1); Off (MOPS_OFF=1) uses none"))
	case err != nil:
		return Outcome{}, err
	}
	f.engine.keepCode(f)
	outcome, err := (&computing{f: f, ctx: ctx, held: held, ID: id, handle: handle}).compute(from != "")
	if lost := context.Cause(ctx); err != nil && errors.Is(lost, lease.ErrLost) {
		err = lost // prefer the cause to what it led to
	}
	return outcome, err
}

// awaitTurn waits for the lease's holder. A waiter does not run, so it gives
// its slot back.
func (f *flight) awaitTurn() (sight, error) {
	f.slot.Pause()
	return f.await(f.ctx)
}

// unseen is the error of a call whose lease cannot be written, because the
// store says that there is one, and cannot be read, because the store says that
// there is none.
func (f *flight) unseen() error {
	store := f.root.store
	return &blob.Error{Op: "get", URI: store.URI(f.place.Lease()), Kind: blob.Unavailable, Err: errors.New(
		"the store says that the lease is there to who writes it, and that it is not to who reads it: something in between answers in its place, " +
			"or it is not fit for use; mops doctor " + store.Root() + " looks into it")}
}

// cancelled prefers the reason of a cancel to what the cancel led to.
func (f *flight) cancelled(err error) error {
	if err != nil && f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	return err
}
