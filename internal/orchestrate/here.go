package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// stopGrace is how long a run in this process has to heed its context.
const stopGrace = 5 * time.Second

// here runs the call in this process, under our own session.
func (o *owned) here(ctx context.Context) (Outcome, error) {
	done, running, err := o.runHere(ctx, o.invocation(o.state), o.task())
	switch {
	case running != nil:
		return Outcome{}, o.abandon(ctx, running)
	case err != nil:
		return Outcome{}, o.cancelled(err)
	}
	return o.outcomeHere(ctx, done)
}

// runHere runs a task in this process until it is done or ctx has ended: then
// it returns the worker, which may still run.
func (f *flight) runHere(ctx context.Context, inv executor.Invocation, task worker.Task) (worker.Done, executor.Worker, error) {
	finished := make(chan worker.Done, 1)
	inv.Work = func(stop context.Context) int {
		run, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(stop, func() { cancel(context.Cause(stop)) })()
		code := 0
		task.RunOn(run, func(done worker.Done) {
			code = done.Code
			finished <- done
		})
		return code
	}
	w, err := f.call.Executor.Start(ctx, inv)
	if err != nil {
		return worker.Done{}, nil, err
	}
	exit, err := w.Wait(ctx)
	if err != nil {
		return worker.Done{}, w, nil
	}
	select {
	case done := <-finished:
		return done, nil, nil
	default:
	}
	if exit.Err != nil { // a nil *executor.Error must not become an error
		return worker.Done{}, nil, exit.Err
	}
	return worker.Done{}, nil, &executor.Error{Reason: executor.NoResult, Message: fmt.Sprintf(
		"the executor %s ended its worker with code %d, and the work was not done", f.call.Executor.Name(), exit.Code)}
}

// outcomeHere reads what a run in this process came to. It needs no store.
func (o *owned) outcomeHere(ctx context.Context, done worker.Done) (Outcome, error) {
	if done.Unkept != nil {
		o.engine.Logger.Error("what a call computed is returned, but could not be kept", "call", o.place.URI(), "error", done.Unkept)
	}
	switch {
	case done.Failed != nil:
		return Outcome{}, o.newFuncError(o.state.RunID, *done.Failed)
	case done.Unkept != nil: // whoever waits for this call must compute it, too
		o.release(lease.Outcome{Kind: lease.Cancelled, RunID: o.state.RunID, Message: done.Unkept.Error()})
	case done.Err != nil && ctx.Err() != nil:
		return Outcome{}, o.stopped(ctx)
	case done.Err != nil:
		return Outcome{}, done.Err
	}
	how := Computed
	if done.Lost {
		how = Awaited
		if err := o.call.fits(done.Result, o.place); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Place: o.place, Result: done.Result, How: how, Unkept: done.Unkept != nil}, nil
}

// stopped is the end of a run that was stopped and is gone: its lease is
// released, unless another attempt may follow.
func (o *owned) stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTimeout):
		return timedOut(o.state.RunID, o.call.Timeout)
	case errors.Is(cause, lease.ErrLost):
		return cause
	default:
		o.release(lease.Outcome{Kind: lease.Cancelled, RunID: o.state.RunID})
		return cause
	}
}

// abandon ends a run whose context ended before it did. A function that does
// not heed its context cannot be killed in process: then the call ends without
// it, and the lease stays ours until the function has returned.
func (o *owned) abandon(ctx context.Context, w executor.Worker) error {
	if o.stopHere(ctx, w, o.state.RunID) {
		return o.stopped(ctx)
	}
	o.left = true
	o.engine.owned.Go(func() {
		w.Wait(context.WithoutCancel(ctx))
		o.flight.release(o.held, lease.Outcome{Kind: lease.Cancelled, RunID: o.state.RunID})
	})
	return o.runsOn(ctx, o.state.RunID)
}

// stopHere waits a little for a run in this process to heed its context.
func (f *flight) stopHere(ctx context.Context, w executor.Worker, runID string) (stopped bool) {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if w.Stop(stop) == nil {
		return true
	}
	f.engine.Logger.Warn("a function does not heed its context and runs on in this process", "call", f.place.URI(), "run", runID)
	return false
}

// runsOn is the error of a call that ends although its function has not.
func (f *flight) runsOn(ctx context.Context, runID string) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		err := timedOut(runID, f.call.Timeout)
		err.Message += "; the function does not heed its context and still runs in this process"
		return &stillRunning{err}
	}
	return context.Cause(ctx)
}

// stillRunning is a failure whose run has not ended: there is no next attempt,
// and no release yet.
type stillRunning struct{ error }

func (e *stillRunning) Unwrap() error { return e.error }

func isStillRunning(err error) bool {
	_, ok := errors.AsType[*stillRunning](err)
	return ok
}

// task is the run for the worker's code.
func (o *owned) task() worker.Task {
	return worker.Task{
		Function: o.call.Function, Place: o.place, Pipeline: o.call.Pipeline,
		Input: o.call.Input, Sources: o.sources, Local: o.call.Local,
		RunID: o.state.RunID, LeaseID: o.state.LeaseID, Attempt: o.state.Attempt, Executor: o.state.Executor,
		Replace: o.miss.info.Version, Keep: true, StorageTTL: o.call.StorageTTL,
		Chain: o.chain.Push(o.place.Key), Flight: o.flight, Slot: o.slot,
		Files: o.engine.Files, Logger: o.engine.Logger,
	}
}
