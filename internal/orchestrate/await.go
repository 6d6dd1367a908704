package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/ability"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// seen is what came of waiting for somebody else's lease: the outcome of the
// call, or a lease that is free to be swapped from version.
type seen struct {
	ended   bool
	outcome Outcome
	version blob.Version
}

// waiting is the context for waiting for somebody else's run, which may have been
// computing for as long as any patience lasts: so who waits for it does not give
// up before it does.
func (f *flight) waiting(ctx context.Context) context.Context {
	return blob.Patient(ctx, blob.Patience{Since: time.Unix(0, 0), What: "the outcome of a run elsewhere of " + f.place.URI()})
}

// await waits until the call has an outcome or its lease is free.
func (f *flight) await(ctx context.Context) (seen, error) {
	ctx = f.waiting(ctx)
	var waitedFor string // the lease whose outcome is ours, too
	pause := f.newPause()
	circle := circleWatch{flight: f}
	defer circle.end()
	for {
		state, version, err := lease.Read(ctx, f.root.store, f.place.Lease())
		if errors.Is(err, lease.ErrDamaged) {
			f.engine.Logger.Warn("a damaged lease is replaced", "call", f.place.URI(), "error", err)
			return seen{version: version}, nil
		}
		if err != nil {
			return seen{}, err
		}
		// The result comes after the lease: whoever let go of the lease before
		// we read it has put the result by now.
		outcome, missed, err := f.findResult(ctx)
		if err != nil {
			return seen{}, err
		}
		if missed == nil {
			outcome.How = Awaited
			return seen{ended: true, outcome: outcome}, nil
		}
		recheck := time.Duration(0)
		switch {
		case version == "":
			return seen{}, nil
		case state.Status == lease.StatusReleased:
			if state.LeaseID == waitedFor {
				if err := f.sharedFailure(ctx, state.Outcome); err != nil {
					return seen{}, err
				}
			}
			return seen{version: version}, nil
		default:
			over, err := f.finished(ctx, missed, state, version)
			switch {
			case err != nil:
				return seen{}, err
			case over && state.LeaseID == waitedFor && missed.leaseID == waitedFor:
				return seen{ended: true, outcome: Outcome{Place: f.place, Result: missed.old, How: Awaited}}, nil
			case over:
				return seen{version: version}, nil
			}
			waitedFor = state.LeaseID
			var free bool
			var adopted *seen
			free, adopted, recheck, err = f.examine(ctx, state, version)
			switch {
			case err != nil:
				return seen{}, err
			case adopted != nil:
				return *adopted, nil
			case free:
				return seen{version: version}, nil
			}
			if err := circle.look(ctx, state); err != nil {
				return seen{}, err
			}
		}
		if err := pause.wait(ctx, recheck); err != nil {
			return seen{}, err
		}
	}
}

// finished reports whether a result that cannot be used (it is damaged, or to
// be refreshed) was put by the lease's last holder rather than before it. The
// lease of a success is never released, so that is the only sign that nobody
// computes any more. A sound result names its lease; of a damaged one only the
// time is known, which like the lease's is the store's, and no better than
// clockGrain.
func (f *flight) finished(ctx context.Context, missed *miss, state lease.State, version blob.Version) (bool, error) {
	if missed.leaseID != "" {
		return missed.leaseID == state.LeaseID, nil
	}
	if missed.info.Version == "" {
		return false, nil
	}
	held, err := f.root.store.Stat(ctx, f.place.Lease())
	if err != nil {
		return false, err
	}
	return held.Version == version && held.ModTime.Before(missed.info.ModTime.Add(clockGrain)), nil
}

// clockGrain is by how much the times of two blobs may be out of order: drivers
// shift those of files by up to 1 ms, and the kernel's clock for files ticks
// every 1 to 10 ms.
const clockGrain = 20 * time.Millisecond

// examine asks whether those who hold a lease still live: the session that
// computes, and the one that watches it. A worker that runs on without its
// orchestrator is adopted; one that died while its orchestrator lives is that
// one's to deal with; else a dead one leaves the lease free.
func (f *flight) examine(ctx context.Context, state lease.State, version blob.Version) (free bool, adopted *seen, recheck time.Duration, err error) {
	dead, recheck, err := f.computes(ctx, state)
	if err != nil {
		return false, nil, 0, err
	}
	watched, again, err := f.watches(ctx, state)
	if err != nil {
		return false, nil, 0, err
	}
	if again > 0 && (recheck == 0 || again < recheck) {
		recheck = again
	}
	if watched {
		return false, nil, recheck, nil
	}
	if (dead || state.Orchestrator != state.Session) && state.Handle != "" && state.Executor == f.call.Executor.Name() {
		adopted, err = f.adopt(ctx, state, version, dead)
		if err != nil || adopted != nil {
			return false, adopted, 0, err
		}
	}
	if dead {
		f.engine.Logger.Info("a call whose holder is dead is taken over",
			"call", f.place.URI(), "holder", state.Session, "host", state.Host, "lease", state.LeaseID)
	}
	return dead, nil, recheck, nil
}

// computes reports whether the session that computes is dead.
func (f *flight) computes(ctx context.Context, state lease.State) (dead bool, recheck time.Duration, err error) {
	if state.Session == f.root.session.ID() && !f.root.session.Holds(f.place.Lease()) {
		return true, 0, nil // ours, and nobody here is at it any more: its result was removed
	}
	return f.dead(ctx, state.Session)
}

// dead asks the judge, who has no patience with a store that takes no writes: then
// the session has to be looked at anew.
func (f *flight) dead(ctx context.Context, session string) (dead bool, recheck time.Duration, err error) {
	err = blob.RetryPolicy{}.Do(ctx, func() (err error) { dead, recheck, err = f.root.judge.Dead(ctx, session); return err })
	return dead, recheck, err
}

// watches reports whether the orchestrator of a worker lives, and sees to the
// worker and its lease.
func (f *flight) watches(ctx context.Context, state lease.State) (lives bool, recheck time.Duration, err error) {
	switch state.Orchestrator {
	case "", state.Session, f.root.session.ID():
		return false, 0, nil // nobody beside who computes; ourselves, who would not wait here
	}
	dead, recheck, err := f.dead(ctx, state.Orchestrator)
	return !dead, recheck, err
}

// sharedFailure is the error of the run that we waited for; nil where that was
// cancelled rather than failed, so that we take over.
func (f *flight) sharedFailure(ctx context.Context, outcome *lease.Outcome) error {
	if outcome == nil {
		return nil
	}
	switch outcome.Kind {
	case lease.FuncError:
		found, err := f.place.Error(ctx)
		if err == nil && found.RunID == outcome.RunID {
			return f.funcError(found)
		}
		// Somebody failed anew meanwhile; the lease has the essence.
		return f.newFuncError(outcome.RunID, record.FuncError{Message: outcome.Message})
	case lease.ExecError:
		return &executor.Error{Reason: executor.Reason(outcome.Reason), Message: outcome.Message, Tail: outcome.Detail}
	default:
		return nil
	}
}

// adopt attaches to a worker whose orchestrator is dead, and becomes its
// orchestrator. It returns nil where there is no such worker any more, or where
// somebody else adopts it.
func (f *flight) adopt(ctx context.Context, state lease.State, version blob.Version, dead bool) (*seen, error) {
	inv := f.invocation(state)
	if ability.RunsRemotely(f.call.Executor) { // it follows what is printed by itself
		output := f.openOutput(state.RunID)
		defer output.Close(ctx)
		inv.Log = output.write
	}
	w, err := f.call.Executor.Attach(ctx, inv, state.Handle)
	if errors.Is(err, executor.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the worker of %s could not be attached to: %w", f.place.URI(), err)
	}
	state.Orchestrator = "" // Take fills in this session
	if dead {
		state.Session = ""
	}
	ctx, held, err := f.root.session.Take(ctx, f.place.Lease(), version, state)
	if err != nil {
		w.Release()
		if blob.Is(err, blob.Mismatch) {
			return nil, nil // somebody was faster, or the worker has just taken its lease
		}
		return nil, err
	}
	f.engine.Logger.Info("a worker that lost its orchestrator is adopted", "call", f.place.URI(), "run", state.RunID, "worker", state.Handle)
	f.item.Running(state.RunID, state.Handle)
	found, err := f.follow(ctx, w, state)
	_, incompatible := isIncompatible(err)
	switch failed, ok := errors.AsType[*FuncError](err); {
	case ok:
		f.release(held, outcomeOf(failed.RunID, err))
	case incompatible:
		held.Done()
	case err != nil:
		f.resign(held)
	default:
		held.Done()
	}
	return found, err
}

// follow waits for a worker that was adopted, showing what it prints. It is not
// ours to stop: who only attached lets it run on.
func (f *flight) follow(ctx context.Context, w executor.Worker, state lease.State) (*seen, error) {
	stop := func() {}
	if !ability.RunsRemotely(f.call.Executor) {
		stop = f.followLog(state.RunID)
	}
	_, err := w.Wait(ctx)
	stop()
	if err != nil {
		w.Release()
		if errors.Is(context.Cause(ctx), lease.ErrLost) {
			return nil, nil // look who has it now
		}
		return nil, f.cancelled(err)
	}
	outcome, missed, err := f.findResult(f.waiting(f.ctx))
	if err != nil {
		return nil, err
	}
	if missed == nil {
		outcome.How = Awaited
		return &seen{ended: true, outcome: outcome}, nil
	}
	if found, err := f.place.Error(f.waiting(f.ctx)); err == nil && found.RunID == state.RunID {
		return nil, f.funcError(found)
	}
	return nil, nil // it left nothing: look at its lease again
}
