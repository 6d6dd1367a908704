package orchestrate

import (
	"context"

	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// unkept is the place of a call that has none in a store.
func unkept(c Call) memo.Place {
	key := c.key()
	return memo.Place{Key: key, Path: c.path(key)}
}

// unkept runs a call in this process and keeps nothing: with Off, and where a
// read-only root has no result.
func (f *flight) unkept(slot worker.Slot) (Outcome, error) {
	for attempt := 1; ; attempt++ {
		outcome, err := f.unkeptRun(slot, attempt)
		if err == nil || f.ctx.Err() != nil || isStillRunning(err) || attempt > f.call.Retries || !mayRetry(err) {
			return outcome, f.cancelled(err)
		}
		f.engine.Logger.Warn("a run failed and is tried again", "call", f.place.URI(), "attempt", attempt, "of", f.call.Retries+1, "error", err)
		if err := pauseAfter(f.ctx, attempt-1, slot); err != nil {
			return Outcome{}, f.cancelled(err)
		}
	}
}

func (f *flight) unkeptRun(slot worker.Slot, attempt int) (Outcome, error) {
	ctx, cancel := f.bounded(f.ctx)
	defer cancel()
	c := f.call
	task := worker.Task{
		Function: c.Function, Place: f.place, Pipeline: c.Pipeline, Input: c.Input, Sources: memo.WhereTheyAre(c.Sources), Own: c.Sources, Local: c.Local,
		RunID: newRunID(), Attempt: attempt, Executor: c.Executor.Name(), Chain: f.chain.Push(f.place.Key), Flight: f, Slot: slot,
		Files: f.engine.Files, Logger: f.engine.Logger,
	}
	f.item.Running(task.RunID, task.Executor)
	state := lease.State{RunID: task.RunID, Attempt: attempt}
	done, running, err := f.runHere(ctx, f.invocation(state), task)
	switch {
	case running != nil && !f.stopHere(ctx, running, task.RunID):
		f.engine.owned.Go(func() { running.Wait(context.WithoutCancel(ctx)) })
		return Outcome{}, f.runsOn(ctx, task.RunID)
	case running != nil || done.Err != nil && ctx.Err() != nil:
		if context.Cause(ctx) == errTimeout {
			return Outcome{}, timedOut(task.RunID, c.Timeout)
		}
		return Outcome{}, context.Cause(ctx)
	case err != nil:
		return Outcome{}, err
	case done.Failed != nil:
		return Outcome{}, f.newFuncError(task.RunID, *done.Failed)
	}
	return Outcome{Place: f.place, Result: done.Result, How: Computed, Unkept: true}, done.Err
}
