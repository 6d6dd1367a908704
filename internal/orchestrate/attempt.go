package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/ability"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/record"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// owned is a call under our lease, on its way to being computed.
type owned struct {
	*flight
	ctx     context.Context // ends with the flight's, and when the lease is lost
	held    *lease.Held
	slot    worker.Slot
	state   lease.State // as we wrote it; a worker may have put its session in since
	sources []record.SourceLocation
	started time.Time         // of the attempt
	failed  []executor.Reason // why attempts before it failed, where the function did not
	left    bool              // the lease was released, or left to a run that goes on
}

var errTimeout = errors.New("the run took longer than its timeout")

// run makes sure that there is still no result, if the lease was swapped from
// somebody else's, and computes one.
func (o *owned) run(swapped bool) (outcome Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			outcome, err = Outcome{}, failureOf(p)
			o.release(outcomeOf(o.state.RunID, err))
		}
		if !o.left {
			o.held.Done()
		}
	}()
	if swapped {
		// Between our look at the result and our lease its holder may have finished.
		outcome, missed, err := o.findResult(o.ctx)
		switch {
		case err != nil:
			o.release(lease.Outcome{Kind: lease.Cancelled})
			return Outcome{}, err
		case missed == nil:
			o.release(lease.Outcome{Kind: lease.OK, RunID: outcome.Result.RunID})
			outcome.How = Awaited
			return outcome, nil
		}
		o.miss = missed
	}
	if err := o.prepare(); err != nil {
		o.release(lease.Outcome{Kind: lease.Cancelled, Message: err.Error()})
		return Outcome{}, err
	}
	return o.attempts()
}

// attempts runs the call until it succeeds or has used up its retries.
func (o *owned) attempts() (Outcome, error) {
	for failed := 0; ; failed++ {
		o.started = time.Now()
		o.item.Running(o.state.RunID, o.state.Executor)
		outcome, err := o.attempt()
		if e, ok := errors.AsType[*FuncError](err); ok && e.Failed.Transient {
			o.engine.Files.Forget(time.Now()) // perhaps a file of the input was gone
		}
		switch {
		case err == nil:
			return outcome, nil
		case o.ctx.Err() != nil:
			if !o.left { // it failed while it was cancelled
				o.release(outcomeOf(o.state.RunID, err))
			}
			return Outcome{}, context.Cause(o.ctx)
		case errors.Is(err, lease.ErrLost), o.left:
			return Outcome{}, err
		case !o.retries(err, failed):
			o.release(outcomeOf(o.state.RunID, err))
			return Outcome{}, err
		}
		o.engine.Logger.Warn("a run failed and is tried again", "call", o.place.URI(), "run", o.state.RunID,
			"attempt", o.state.Attempt, "error", err)
		if err := o.nextAttempt(failed); err != nil {
			return Outcome{}, err
		}
	}
}

// mayRetry reports whether trying again can help.
func mayRetry(err error) bool {
	if _, ok := errors.AsType[*FuncError](err); ok {
		return true
	}
	e, ok := errors.AsType[*executor.Error](err)
	return ok && e.Reason != executor.VersionSkew
}

// retries reports whether a failed run is tried again: at the cost of the
// caller's retries, or because the executor allows it for such a reason.
func (o *owned) retries(err error, failed int) bool {
	if !mayRetry(err) {
		return false
	}
	if e, ok := errors.AsType[*executor.Error](err); ok {
		o.failed = append(o.failed, e.Reason)
		if ability.MayRetry(o.call.Executor, o.failed) {
			return true
		}
	}
	return failed < o.call.Retries
}

// outcomeOf is what waiters elsewhere learn of a failure.
func outcomeOf(runID string, err error) lease.Outcome {
	if e, ok := errors.AsType[*executor.Error](err); ok {
		return lease.Outcome{Kind: lease.ExecError, RunID: runID, Reason: string(e.Reason), Message: e.Text(), Detail: e.Tail}
	}
	if e, ok := errors.AsType[*FuncError](err); ok {
		return lease.Outcome{Kind: lease.FuncError, RunID: e.RunID, Message: e.Failed.Message}
	}
	return lease.Outcome{Kind: lease.Cancelled, RunID: runID, Message: err.Error()}
}

// nextAttempt waits a little and renews the lease for another run, under the same lease id.
func (o *owned) nextAttempt(failed int) error {
	err := pauseAfter(o.ctx, failed, o.slot)
	if err == nil {
		o.state.Attempt++
		o.state.RunID = newRunID()
		if namer, ok := o.call.Executor.(executor.Namer); ok {
			o.state.Handle = namer.HandleOf(o.invocation(o.state))
		}
		err = o.held.Update(o.ctx, func(s *lease.State) {
			s.Attempt, s.RunID, s.Handle, s.Session = o.state.Attempt, o.state.RunID, o.state.Handle, s.Orchestrator
		})
	}
	if err == nil && len(o.call.Sources) > 0 {
		err = o.prepare() // of what the run before found missing
	}
	if err != nil && !errors.Is(err, lease.ErrLost) {
		o.release(lease.Outcome{Kind: lease.Cancelled, RunID: o.state.RunID})
	}
	return err
}

// pauseAfter waits, without the slot, before what failed is tried again: 0.1 s
// at first, and twice as long each time, up to 10 s, half of it by chance.
func pauseAfter(ctx context.Context, failed int, slot worker.Slot) error {
	pause := min(100*time.Millisecond<<min(failed, 10), 10*time.Second)
	slot.Pause()
	timer := time.NewTimer(pause/2 + rand.N(pause/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return slot.Resume(ctx)
}

// release lets go of the lease with what came of it; a success needs none.
func (o *owned) release(outcome lease.Outcome) {
	o.left = true
	o.flight.release(o.held, outcome)
}

// release lets go of a lease. It does not heed the call's context: a cancelled
// call releases its lease, too.
func (f *flight) release(held *lease.Held, outcome lease.Outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), settleTimeout)
	defer cancel()
	if err := held.Release(ctx, outcome); err != nil && !errors.Is(err, lease.ErrLost) {
		f.engine.Logger.Warn("a lease could not be released yet; it ends with this process at the latest", "call", f.place.URI(), "error", err)
	}
}

// resign leaves a lease to the worker that computes under it, unwatched.
func (f *flight) resign(held *lease.Held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), settleTimeout)
	defer cancel()
	if err := held.Resign(ctx); err != nil && !errors.Is(err, lease.ErrLost) {
		f.engine.Logger.Warn("a lease still names this process, which does not watch it any more", "call", f.place.URI(), "error", err)
	}
}

// attempt is one run on the executor. It returns only when nothing of the
// worker runs any more, or when it was told to let the worker run on.
func (o *owned) attempt() (Outcome, error) {
	ctx, cancel := o.bounded(o.ctx)
	defer cancel()
	if ability.InProcess(o.call.Executor) {
		return o.here(ctx)
	}
	return o.elsewhere(ctx)
}

// bounded is ctx for one run.
func (f *flight) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.call.Timeout > 0 {
		return context.WithTimeoutCause(ctx, f.call.Timeout, errTimeout)
	}
	return context.WithCancel(ctx)
}

// timedOut is the error of a run that was stopped by its timeout.
func timedOut(runID string, after time.Duration) *executor.Error {
	return &executor.Error{Reason: executor.DeadlineExceeded,
		Message: fmt.Sprintf("run %s was stopped after %v; give it longer with the option Timeout", runID, after)}
}
