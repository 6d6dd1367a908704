package orchestrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Inject puts an output computed elsewhere as the result of a call; out points
// to its Out. It takes no lease: a process that is computing the call finds the
// result when it puts its own.
func (e *Engine) Inject(ctx context.Context, c Call, out any) error {
	err := e.inject(ctx, c, out)
	if other, found := isIncompatible(err); found {
		c.incompatible = other
		err = e.inject(ctx, c, out)
	}
	return err
}

func (e *Engine) inject(ctx context.Context, c Call, out any) error {
	switch {
	case c.Off:
		return errors.New("the option Off is set (by an option, the config file or MOPS_OFF), so nothing may be put into the store: inject without it")
	case c.ReadOnly:
		return errors.New("the option ReadOnly is set (by an option, the config file or MOPS_READ_ONLY), so nothing may be put into the store: inject without it")
	}
	r, err := e.root(ctx, c.Root)
	if err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.owned.Done()
	place := unkept(c)
	place.Store = r.store
	found, err := place.Result(ctx)
	if err == nil {
		if err := c.fits(found, place); err != nil {
			return err
		}
	}
	switch {
	case err == nil && !c.Refresh:
		return resultIsThere(place, found)
	case err != nil && !errors.Is(err, record.ErrDamaged) && !blob.Is(err, blob.NotFound):
		return err
	}
	if c.Refresh {
		e.Files.Forget(time.Now())
	}
	other, won, err := worker.Task{
		Assignment: worker.Assignment{
			ID: runs.ID{RunID: runs.NewRunID(), ProgramRun: e.programRun(ctx)}, Caller: worker.FromContext(ctx).NameIn(place.Store),
			Terms: c.Terms, Fields: e.Fields, Replace: found.Info.Version,
		},
		Function: c.Function, Place: place, Keep: true, Files: e.Files, Logger: e.Logger,
	}.Inject(ctx, out)
	switch {
	case err != nil:
		return err
	case !won:
		return cmp.Or(c.fits(other, place), resultIsThere(place, other))
	case c.Refresh: // that was the refresh: it must not be computed over
		e.mu.Lock()
		defer e.mu.Unlock()
		e.refreshed[resultKey{r, place.Path}] = true
	}
	return nil
}

// enter makes Close wait for a caller. The caller calls owned.Done at the end.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.owned.Add(1)
	return nil
}

func resultIsThere(place memo.Place, found memo.Found) error {
	return &blob.Error{Op: "inject", URI: place.URI(), Kind: blob.Exists, Err: fmt.Errorf(
		"the result of run %s, on which others may rely; to replace it, inject with mops.Refresh", found.RunID)}
}
