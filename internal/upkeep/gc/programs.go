package gc

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// removeRuns counts the runs of programs, and removes those that are chosen. Nobody
// relies on them, so they go without ceremony; only one that still goes on stays.
func (r *run) removeRuns(ctx context.Context) error {
	if !r.surveyed && !r.Runs {
		return nil
	}
	r.Progress.Begin("looking at runs of programs", 0)
	entries, err := programs.Survey(ctx, r.store)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	for _, e := range entries {
		r.report.Runs.add(r.now.Sub(e.Written), e.Bytes)
		if !r.Runs || e.Live(r.now) || !r.old(e.Written, r.RunsAge) {
			continue
		}
		r.report.OldRuns.add(1, e.Bytes)
		if !r.Delete {
			continue
		}
		group.Go(func() error {
			if err := programs.Remove(groupCtx, r.store, e.ID, r.freed); err != nil && ctx.Err() == nil {
				r.problem(err)
			}
			r.Progress.Step()
			return nil
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
