package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// computing is a flight that computes its call, run after run, until one
// succeeds or the retries are used up. It has its slot and, if the call is
// kept, the lease.
type computing struct {
	f       *flight
	ctx     context.Context // the flight's; it ends with the lease, too
	held    *lease.Held     // nil if nothing is kept
	runs.ID                 // of the present run
	handle  string          // of its worker, if known
	sources []record.SourceLocation
	started time.Time         // of the present run
	exit    executor.Exit     // of its worker, where that is another process
	failed  []executor.Reason // why runs failed, other than by the function
	had     int64             // memory that runs ran out of; see executor.Invocation
	packed  packed            // how it fares in packs
	left    bool              // the lease was released, or left to a run that goes on

	unbegun  bool // the present run ended before its worker had begun it
	detached bool // its worker was left to run on
}

var errTimeout = errors.New("the run took longer than its timeout")

// handle is the handle of the run's worker, if the executor knows it
// beforehand.
func (f *flight) handle(id runs.ID) string {
	if namer, ok := f.call.Executor.(executor.Namer); ok {
		return namer.HandleOf(f.invocation(id))
	}
	return ""
}

// computeUnkept computes the call in this process and keeps nothing: with Off,
// and for a root that may only be read and has no result.
func (f *flight) computeUnkept() (Outcome, error) {
	c := &computing{f: f, ctx: f.ctx, ID: runs.New("", f.call.Executor.Name(), f.engine.programRun(f.ctx)), sources: memo.WhereTheyAre(f.call.Sources)}
	outcome, err := c.untilDone()
	return outcome, f.cancelled(err)
}

// compute computes the call under its lease. If we swapped the lease from
// another session, look again first: that session may have put a result between
// our look and our swap.
func (c *computing) compute(swapped bool) (outcome Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			outcome, err = Outcome{}, failureOf(p)
			c.release(outcomeOf(c.RunID, err))
		}
		if !c.left {
			c.held.Done()
		}
	}()
	if swapped {
		outcome, missed, err := c.f.findResult(c.ctx)
		switch {
		case err != nil:
			c.release(lease.Outcome{Kind: runs.Cancelled})
			return Outcome{}, err
		case missed == nil:
			c.release(lease.Outcome{Kind: runs.OK, RunID: outcome.Result.RunID})
			outcome.How = Awaited
			return outcome, nil
		}
		c.f.miss = missed
	}
	if err := c.prepare(); err != nil {
		c.release(lease.Outcome{Kind: runs.Cancelled, Message: err.Error()})
		return Outcome{}, err
	}
	return c.untilDone()
}

// prepare puts what the worker reads: first the files of the input, then the
// invocation that refers to them. A refresh takes no remembered hash on trust.
func (c *computing) prepare() error {
	f := c.f
	if f.key.refresh {
		f.engine.Files.Forget(f.asked)
	}
	if len(f.call.Sources) > 0 {
		locations, err := f.engine.Files.Upload(c.ctx, f.root.store, f.call.Sources, f.call.StorageTTL)
		if err != nil {
			return fmt.Errorf("the files for %s: %w", f.place.URI(), err)
		}
		c.sources = f.place.Locations(f.call.Sources, locations)
	}
	header := record.InvocationHeader{
		Head: f.call.Function.Head(f.place.Key, c.RunID),
		Call: f.call.Function.Describe(f.call.Pipeline), LeaseID: c.LeaseID,
		Caller: f.caller(), ProgramRun: c.ProgramRun, Program: record.ThisProgram(), Sources: c.sources,
		Types: f.call.Function.Types(),
	}
	return f.place.PutInvocation(c.ctx, header, f.call.Input, f.call.StorageTTL)
}

// untilDone runs the call until it succeeds or has used up its retries.
func (c *computing) untilDone() (Outcome, error) {
	f := c.f
	for failed := 0; ; failed++ {
		c.started, c.exit, c.unbegun = time.Now(), executor.Exit{}, false
		outcome, err := c.once(c.tellStarted())
		if e, ok := errors.AsType[*FuncError](err); ok && e.Failed.Transient {
			f.engine.Files.Forget(time.Now()) // perhaps a file of the input was gone
		}
		cancelled := err != nil && c.ctx.Err() != nil
		final := err == nil || cancelled || c.left || errors.Is(err, lease.ErrLost)
		again := !final && c.retries(err, failed)
		c.tellEnd(outcome, err, again)
		switch {
		case err == nil:
			c.ended(outcome, nil)
			return outcome, nil
		case cancelled:
			if !c.left { // it failed while it was cancelled
				c.release(outcomeOf(c.RunID, err))
			}
			return Outcome{}, context.Cause(c.ctx)
		case final:
			return Outcome{}, err
		case !again:
			c.ended(outcome, err)
			c.release(outcomeOf(c.RunID, err))
			return Outcome{}, err
		}
		if err := c.next(failed); err != nil {
			return Outcome{}, err
		}
	}
}

// once is one run on the executor. It returns when the worker is gone, or is
// left to run on. Its context is c.ctx, with the run's own values, and ends when
// it has run for its timeout.
func (c *computing) once(ctx context.Context) (Outcome, error) {
	timeout := c.f.call.Timeout
	if !ability.InProcess(c.f.call.Executor) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		clock := &limit{left: timeout, reached: func() { cancel(errTimeout) }}
		defer clock.tell("")
		return c.elsewhere(ctx, clock)
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}
	if _, ours := c.f.call.Executor.(*inproc.Executor); ours {
		return c.here(ctx)
	}
	return c.through(ctx)
}

// limit is the time that a run has left. It counts only while the run's program
// runs: waiting for a turn, for a node or for an image is no fault of the
// function's.
type limit struct {
	reached func()

	mu    sync.Mutex
	left  time.Duration // 0: there is no limit
	timer *time.Timer   // nil while the clock stands
	since time.Time     // when the clock began to count
}

// tell takes how far the run is.
func (l *limit) tell(stage executor.Stage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case stage == executor.Running && l.timer == nil && l.left > 0:
		l.timer, l.since = time.AfterFunc(l.left, l.reached), time.Now()
	case stage != executor.Running && l.timer != nil && l.timer.Stop():
		l.left, l.timer = max(l.left-time.Since(l.since), 1), nil
	}
}

// mayRetry reports whether another try can help.
func mayRetry(err error) bool {
	if e, ok := errors.AsType[*FuncError](err); ok {
		return !errtree.IsNamed(ErrFinal, e.Failed.Sentinels)
	}
	e, ok := errors.AsType[*executor.Error](err)
	return ok && e.Reason != executor.VersionSkew
}

// retries reports whether to try a failed run again: either at the cost of the
// caller's retries, or because the executor allows it for such a reason.
func (c *computing) retries(err error, failed int) bool {
	if c.packed.again(err) {
		return true
	}
	if !mayRetry(err) {
		return false
	}
	if e, ok := errors.AsType[*executor.Error](err); ok {
		c.failed = append(c.failed, e.Reason)
		if e.Reason == executor.OOMKilled {
			c.had = max(c.had, c.exit.PeakMemory)
		}
		if ability.MayRetry(c.f.call.Executor, c.failed) {
			c.packed.free++
			return true
		}
	}
	return failed-c.packed.free < c.f.call.Retries && c.retryIf(err)
}

// retryIf asks the user whether a run that failed so is worth another try. A func
// that does not answer says no.
func (c *computing) retryIf(failed error) bool {
	ask := c.f.call.RetryIf
	if ask == nil {
		return true
	}
	again, err := askUser(c.ctx, func() (bool, error) { return ask(c.f.place.URI(), failed), nil },
		func(did, _ string) error { return errors.New("it " + did) })
	if err != nil && c.ctx.Err() == nil {
		c.f.engine.Logger.Warn("the func that mops.RetryIf was given did not answer, so the call is not tried again", "call", c.f.place.URI(), "why", err)
	}
	return again
}

// next waits a little and prepares another run, under the same lease id.
func (c *computing) next(failed int) error {
	err := c.pause(failed)
	if err == nil {
		c.ID = runs.Next(c.ID)
		if c.held != nil {
			c.handle = c.nextHandle()
			err = c.held.Update(c.ctx, func(s *lease.State) {
				s.ID, s.Handle, s.Session = c.ID, c.handle, s.Orchestrator
			})
		}
	}
	if err == nil && c.held != nil && len(c.f.call.Sources) > 0 {
		err = c.prepare() // puts again what the last run found missing
	}
	if err != nil && !errors.Is(err, lease.ErrLost) {
		c.release(lease.Outcome{Kind: runs.Cancelled, RunID: c.RunID})
	}
	return err
}

// pause waits, without the slot, before the next try: twice as long each time, up to
// a hundredfold; half of it is random.
func (c *computing) pause(failed int) error {
	pause := c.f.call.RetryDelay * time.Duration(min(1<<min(failed, 10), 100))
	c.f.tell(event.Event{Kind: event.Waiting, Wait: event.ForRetry})
	c.f.slot.Pause()
	sleep.For(c.ctx, pause/2+rand.N(pause/2+1)) // what follows heeds the end of the context
	return c.f.slot.Resume(c.ctx)
}

// stopped ends a run whose worker was stopped and is gone. It releases the
// lease, unless another run may follow.
func (c *computing) stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTimeout):
		return c.timedOut()
	case errors.Is(cause, lease.ErrLost):
		return cause
	default:
		c.release(lease.Outcome{Kind: runs.Cancelled, RunID: c.RunID})
		return cause
	}
}

// timedOut is the error of a run that its timeout stopped.
func (c *computing) timedOut() *executor.Error {
	return &executor.Error{Reason: executor.DeadlineExceeded, Message: fmt.Sprintf(
		"run %s was stopped after %v; give it longer with the option Timeout", c.RunID, c.f.call.Timeout)}
}

// outcomeOf is what waiters elsewhere learn of a failure.
func outcomeOf(runID string, err error) lease.Outcome {
	if e, ok := errors.AsType[*executor.Error](err); ok {
		return lease.Outcome{Kind: runs.ExecError, RunID: runID, Reason: e.Reason, Message: e.Text(), Detail: e.Tail}
	}
	if e, ok := errors.AsType[*FuncError](err); ok {
		return lease.Outcome{Kind: runs.FuncError, RunID: e.RunID, Message: e.Failed.Message}
	}
	return lease.Outcome{Kind: runs.Cancelled, RunID: runID, Message: err.Error()}
}

// release releases the lease with its outcome; a success needs no release.
func (c *computing) release(outcome lease.Outcome) {
	c.left = true
	c.f.letGo(c.held, outcome)
}

// resign leaves the lease to the worker that computes under it, unwatched.
func (c *computing) resign() {
	c.left = true
	c.f.resign(c.held)
}

// letGo releases a lease, if there is one. It does not heed the call's context:
// a cancelled call releases its lease, too.
func (f *flight) letGo(held *lease.Held, outcome lease.Outcome) {
	if held == nil {
		return
	}
	ctx, cancel := f.settling()
	defer cancel()
	if err := held.Release(ctx, outcome); err != nil && !errors.Is(err, lease.ErrLost) {
		f.engine.Logger.Warn("a lease could not be released yet; it ends with this process at the latest", "call", f.place.URI(), "error", err)
	}
}

func (f *flight) resign(held *lease.Held) {
	ctx, cancel := f.settling()
	defer cancel()
	if err := held.Resign(ctx); err != nil && !errors.Is(err, lease.ErrLost) {
		f.engine.Logger.Warn("a lease still names this process, which does not watch it any more", "call", f.place.URI(), "error", err)
	}
}

// settleTimeout bounds the work after a run, however it ended: reading what it
// left, releasing its lease.
const settleTimeout = time.Minute

func (f *flight) settling() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(f.ctx), settleTimeout)
}
