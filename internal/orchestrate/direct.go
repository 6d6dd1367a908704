package orchestrate

import (
	"context"

	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// unkept is the place of a call that has none in a store.
func unkept(c Call) memo.Place {
	key := c.key()
	return memo.Place{Key: key, Path: c.path(key)}
}

// direct runs a call in this process and keeps nothing: with Off, and where a
// read-only root has no result.
func (e *Engine) direct(ctx context.Context, c Call, place memo.Place) (Outcome, error) {
	item := e.Tracker.Begin(c.Function.Name, place.URI())
	task := worker.Task{
		Function: c.Function, Place: place, Pipeline: c.Pipeline, Input: c.Input, Sources: memo.WhereTheyAre(c.Sources), Local: c.Local,
		RunID: newRunID(), Attempt: 1, Executor: "inproc", Chain: worker.FromContext(ctx).Push(place.Key),
		Files: e.Files, Logger: e.Logger,
	}
	item.Running(task.RunID, task.Executor)
	done := task.Run(ctx)
	outcome, err := Outcome{Place: place, Result: done.Result, How: Computed}, done.Err
	if done.Failed != nil {
		err = &FuncError{Function: c.Function.Name, URI: place.URI(), RunID: task.RunID,
			Failed: *done.Failed, Err: c.Function.DecodeError(done.Failed.Registered)}
	}
	item.End(ended(outcome, err), err)
	return outcome, err
}
