package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// stopGrace is how long a run in this process may take to heed its context.
const stopGrace = 5 * time.Second

// Runs in this process, under our own session.
//
// The function runs on the flight's own goroutine: for a short call, another
// one and the way back would cost more than all of our own work. But a function
// may do two things to the goroutine that it runs on. It may end it, by
// runtime.Goexit: then the flight ends first. And it may keep it, because it
// does not heed its context: then the flight moves on to another goroutine, and
// when the function returns at last, its own goroutine has nothing to do but to
// release the lease.

// here runs the call on this goroutine.
func (c *computing) here(ctx context.Context) (Outcome, error) {
	if ctx.Err() != nil {
		return Outcome{}, c.stopped(ctx)
	}
	task := c.task()
	run := task.RunOn
	if c.f.call.Retries > 0 { // a Goexit must leave a goroutine for the next try
		run = func(ctx context.Context, done func(worker.Done)) { done(task.Run(ctx)) }
	}
	moved := c.watch(ctx)
	defer func() {
		if moved() { // whatever happens here, another goroutine ends the flight
			runtime.Goexit()
		}
	}()
	var done worker.Done
	ended := func() (Outcome, error) {
		if moved() {
			c.release(lease.Outcome{Kind: runs.Cancelled, RunID: c.RunID})
			runtime.Goexit()
		}
		return c.outcomeHere(ctx, done)
	}
	defer func() {
		if done.Exits {
			outcome, err := ended()
			c.release(outcomeOf(c.RunID, err))
			c.f.land(outcome, err)
		}
	}()
	run(inFlight(ctx, c.f), func(d worker.Done) { done = d })
	return ended()
}

// watch moves the flight on if the function does not return after ctx has
// ended. Moved says that the function has returned, or will not, and reports
// whether the flight has moved on.
func (c *computing) watch(ctx context.Context) (moved func() bool) {
	returned, watched := make(chan struct{}), make(chan bool, 1)
	unwatch := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(stopGrace)
		defer timer.Stop()
		select {
		case <-returned:
			watched <- false
		case <-timer.C:
			c.moveOn(ctx)
			watched <- true
		}
	})
	return sync.OnceValue(func() bool {
		close(returned)
		return !unwatch() && <-watched
	})
}

// moveOn goes on with the flight without its function.
func (c *computing) moveOn(ctx context.Context) {
	f, err := c.f, c.heedless(ctx)
	c.tellEnd(Outcome{}, err, false)
	if errors.Is(err, lease.ErrLost) { // somebody else has the call now
		f.engine.owned.Go(func() { f.land(f.computed()) })
		return
	}
	f.land(Outcome{}, err)
}

// heedless is why a call ends whose function does not return.
func (c *computing) heedless(ctx context.Context) error {
	c.f.engine.Logger.Warn("a function does not heed its context and runs on in this process", "call", c.f.place.URI(), "run", c.RunID)
	if errors.Is(context.Cause(ctx), errTimeout) {
		err := c.timedOut()
		err.Message += "; the function does not heed its context and still runs in this process"
		return err
	}
	return context.Cause(ctx)
}

// through runs the call in this process on an executor that others made.
func (c *computing) through(ctx context.Context) (Outcome, error) {
	finished := make(chan worker.Done, 1)
	inv, task := c.f.invocation(c.ID), c.task()
	inv.Work = func(stop context.Context) int {
		run, cancel := context.WithCancelCause(inFlight(ctx, c.f))
		defer cancel(nil)
		defer context.AfterFunc(stop, func() { cancel(context.Cause(stop)) })()
		code := 0
		task.RunOn(run, func(done worker.Done) {
			code = done.Code()
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
		return Outcome{}, f.newFuncError(c.RunID, *done.Failed, done.Run.Figures())
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
		if err := f.othersResult(ctx, done.Result); err != nil {
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
	c.left = true
	c.f.engine.owned.Go(func() {
		w.Wait(context.WithoutCancel(ctx))
		c.f.letGo(c.held, lease.Outcome{Kind: runs.Cancelled, RunID: c.RunID})
	})
	return c.heedless(ctx)
}

// task is the run as package worker sees it.
func (c *computing) task() worker.Task {
	f := c.f
	task := worker.Task{
		Assignment: c.assignment(), Function: f.call.Function, Place: f.place,
		Input: f.call.Input, Sources: c.sources, Local: f.call.Local,
		Keep: c.held != nil, Slot: f.slot, Files: f.engine.Files, Logger: f.engine.Logger, Output: f.engine.Output,
	}
	if !task.Keep {
		task.Own = f.call.Sources
	}
	return task
}
