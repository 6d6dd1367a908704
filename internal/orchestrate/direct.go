package orchestrate

import (
	"context"

	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/progress"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// unkept is the place of a call that has none in a store.
func unkept(c Call) memo.Place {
	key := c.key()
	return memo.Place{Key: key, Path: c.path(key)}
}

// off makes a call without any store.
func (e *Engine) off(ctx context.Context, c Call) (Outcome, error) {
	place := unkept(c)
	item := e.Tracker.Begin(c.Function.Name, place.URI())
	outcome, err := e.direct(ctx, c, place, item)
	how := progress.Computed
	if err != nil {
		how = progress.Failed
	}
	item.End(how, err)
	return outcome, err
}

// direct runs a call in this process and keeps nothing: with Off, and where a
// read-only root has no result.
func (e *Engine) direct(ctx context.Context, c Call, place memo.Place, item *progress.Item) (Outcome, error) {
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
	return outcome, err
}
