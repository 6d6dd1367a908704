package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// stopGrace is how long a run in this process may take to heed its context.
const stopGrace = 5 * time.Second

// here runs the call in this process, under our own session.
func (c *computing) here(ctx context.Context) (Outcome, error) {
	finished := make(chan worker.Done, 1)
	inv, task := c.f.invocation(c.ID), c.task()
	inv.Work = func(stop context.Context) int {
		run, cancel := context.WithCancelCause(inFlight(ctx, c.f))
		defer cancel(nil)
		defer context.AfterFunc(stop, func() { cancel(context.Cause(stop)) })()
		code := 0
		task.RunOn(run, func(done worker.Done) {
			code = done.Code
			finished <- done
		})
		return code
	}
	w, err := c.f.call.Executor.Start(ctx, inv)
	if err != nil {
		return Outcome{}, c.f.cancelled(err)
	}
	exit, err := w.Wait(ctx)
	if err != nil {
		return Outcome{}, c.abandon(ctx, w)
	}
	select {
	case done := <-finished:
		return c.outcomeHere(ctx, done)
	default:
	}
	if exit.Err != nil { // a nil *executor.Error must not become an error
		return Outcome{}, c.f.cancelled(exit.Err)
	}
	return Outcome{}, c.f.cancelled(&executor.Error{Reason: executor.NoResult, Message: fmt.Sprintf(
		"the executor %s ended its worker with code %d, and the work was not done", c.f.call.Executor.Name(), exit.Code)})
}

// outcomeHere turns the end of a run in this process into an outcome. It needs
// no store.
func (c *computing) outcomeHere(ctx context.Context, done worker.Done) (Outcome, error) {
	f := c.f
	if done.Unkept != nil {
		f.engine.Logger.Error("what a call computed is returned, but could not be kept", "call", f.place.URI(), "error", done.Unkept)
	}
	switch {
	case done.Failed != nil:
		return Outcome{}, f.newFuncError(c.RunID, *done.Failed)
	case done.Unkept != nil: // waiters of this call must compute it, too
		c.release(lease.Outcome{Kind: runs.Cancelled, RunID: c.RunID, Message: done.Unkept.Error()})
	case done.Err != nil && ctx.Err() != nil:
		return Outcome{}, c.stopped(ctx)
	case done.Err != nil:
		return Outcome{}, done.Err
	}
	how := Computed
	if done.Lost {
		how = Awaited
		if err := f.call.fits(done.Result, f.place); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Place: f.place, Result: done.Result, How: how, Unkept: done.Unkept != nil || c.held == nil}, nil
}

// abandon ends a run whose context ended first. In process, a function that
// does not heed its context cannot be killed: then the call ends without it,
// and we keep the lease until the function has returned.
func (c *computing) abandon(ctx context.Context, w executor.Worker) error {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if w.Stop(stop) == nil {
		return c.stopped(ctx)
	}
	f := c.f
	f.engine.Logger.Warn("a function does not heed its context and runs on in this process", "call", f.place.URI(), "run", c.RunID)
	c.left = true
	f.engine.owned.Go(func() {
		w.Wait(context.WithoutCancel(ctx))
		f.letGo(c.held, lease.Outcome{Kind: runs.Cancelled, RunID: c.RunID})
	})
	if errors.Is(context.Cause(ctx), errTimeout) {
		err := c.timedOut()
		err.Message += "; the function does not heed its context and still runs in this process"
		return err
	}
	return context.Cause(ctx)
}

// task is the run as package worker sees it.
func (c *computing) task() worker.Task {
	f := c.f
	task := worker.Task{
		Function: f.call.Function, Place: f.place, Pipeline: f.call.Pipeline,
		Input: f.call.Input, Sources: c.sources, Local: f.call.Local,
		ID: c.ID, Chain: f.chain.Push(f.place.Key), Slot: f.slot, Files: f.engine.Files, Logger: f.engine.Logger,
	}
	if c.held == nil {
		task.Own = f.call.Sources
		return task
	}
	task.Keep, task.Replace, task.StorageTTL = true, f.miss.info.Version, f.call.StorageTTL
	return task
}
