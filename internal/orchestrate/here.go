package orchestrate

import (
	"context"
	"errors"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// stopGrace is how long a run in this process has to heed its context.
const stopGrace = 5 * time.Second

// here runs the call in this process, under our own session.
func (o *owned) here(ctx context.Context) (Outcome, error) {
	task := o.task()
	finished := make(chan worker.Done, 1)
	inv := o.invocation(o.state)
	inv.Work = func(stop context.Context) int {
		run, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(stop, func() { cancel(context.Cause(stop)) })()
		done := task.Run(run)
		finished <- done
		return done.Code
	}
	w, err := o.call.Executor.Start(ctx, inv)
	if err != nil {
		return Outcome{}, o.cancelled(err)
	}
	exit, err := w.Wait(ctx)
	if err != nil {
		return Outcome{}, o.abandon(ctx, w)
	}
	select {
	case done := <-finished:
		return o.outcomeHere(ctx, done)
	default:
		return Outcome{}, exit.Err
	}
}

// outcomeHere reads what a run in this process came to. It needs no store.
func (o *owned) outcomeHere(ctx context.Context, done worker.Done) (Outcome, error) {
	if done.Unkept != nil {
		o.engine.Logger.Error("what a call computed is returned, but could not be kept", "call", o.place.URI(), "error", done.Unkept)
	}
	switch {
	case done.Failed != nil:
		return Outcome{}, o.newFuncError(o.state.RunID, *done.Failed)
	case done.Err != nil && ctx.Err() != nil:
		return Outcome{}, o.stopped(ctx)
	case done.Err != nil:
		return Outcome{}, done.Err
	}
	how := Computed
	if done.Lost {
		how = Awaited
	}
	return Outcome{Place: o.place, Result: done.Result, How: how}, nil
}

// stopped is the end of a run that was stopped and is gone: its lease is
// released, unless another attempt may follow.
func (o *owned) stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTimeout):
		return o.timedOut()
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
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if w.Stop(stop) == nil {
		return o.stopped(ctx)
	}
	o.engine.Logger.Warn("a function does not heed its context and runs on in this process", "call", o.place.URI(), "run", o.state.RunID)
	o.engine.owned.Go(func() {
		w.Wait(context.WithoutCancel(ctx))
		o.release(lease.Outcome{Kind: lease.Cancelled, RunID: o.state.RunID})
	})
	if errors.Is(context.Cause(ctx), errTimeout) {
		err := o.timedOut()
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
		Replace: o.miss.info.Version, Keep: true,
		Chain: o.chain.Push(o.place.Key), Flight: o.flight, Slot: o.slot,
		Files: o.engine.Files, Logger: o.engine.Logger,
	}
}
