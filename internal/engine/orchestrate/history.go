package orchestrate

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/history"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// history is what an executor may learn of earlier runs of the function.
func (f *flight) history(ctx context.Context) ([]executor.Past, error) {
	if f.root == nil {
		return nil, nil
	}
	return f.engine.past.Of(ctx, f.root.store, path.Dir(f.place.Path))
}

// Past is how earlier runs of a function went, whose calls lie in a folder of an
// open root. Where no run of that version is known, they are another version's,
// which is named.
func (e *Engine) Past(ctx context.Context, root, folder string) (past []executor.Past, otherVersion string, err error) {
	store := e.openStore(root)
	if store == nil {
		return nil, "", nil
	}
	if past, err = e.past.Of(ctx, store, folder); err != nil || len(past) > 0 {
		return past, "", err
	}
	return history.OtherVersion(ctx, store, folder)
}

// openStore is the open store of a root; nil if there is none.
func (e *Engine) openStore(uri string) *blob.Store {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.roots {
		if r.store.Root() == uri {
			return r.store
		}
	}
	return nil
}

// ended adds how the call ended to the history of the function, if an executor
// has asked for that.
func (c *computing) ended(outcome Outcome, err error) {
	f := c.f
	if c.held == nil || !f.engine.past.Asked(f.root.store, path.Dir(f.place.Path)) {
		return
	}
	var run record.Run
	switch e, failed := errors.AsType[*executor.Error](err); {
	case failed && e.Reason == executor.OOMKilled:
		run = c.record(e)
	case err == nil && outcome.How == Computed:
		var header record.ResultHeader
		if outcome.Result.Into(&header) != nil {
			return
		}
		run = header.Run
	}
	f.engine.past.Add(f.root.store, path.Dir(f.place.Path), run)
}

// record is what is known of a run that ended without result or error.
func (c *computing) record(failure *executor.Error) record.Run {
	run := record.Run{
		Outcome: runs.ExecError, Reason: failure.Reason, Error: failure.Text(), Started: c.started.UTC(), Ended: time.Now().UTC(),
		CPUSeconds: c.exit.CPU.Seconds(),
	}.Of(c.ID).On(c.f.tale.place(c.RunID))
	run.Caller, run.Fields = c.f.caller(), c.f.engine.Fields.Values()
	if failure.Reason == executor.OOMKilled { // of others executors know less well
		run.PeakMemory = max(c.exit.PeakMemory, c.had)
	}
	run.WallSeconds = run.Ended.Sub(run.Started).Seconds()
	return run
}
