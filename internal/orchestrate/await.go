package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/record"
	"github.com/TrilliantHealth/mops-go/internal/runs"
)

// standing is how a call stands while somebody else has its lease.
type standing int

const (
	busy standing = iota // somebody computes it
	free                 // nobody does: the lease may be taken
	over                 // it has an outcome
)

// sight is what one look at a call came to.
type sight struct {
	now     standing
	outcome Outcome       // over: of the call
	version blob.Version  // free: what the lease is to be swapped from; "" where there is none
	recheck time.Duration // busy: when another look may see more; 0 if nothing is known of that
}

// waiting is one wait for somebody else's lease.
type waiting struct {
	f      *flight
	held   string // the lease that was held when we looked: its outcome is ours, too
	circle circleWatch
}

// await waits until the call has an outcome or its lease is free. Whoever has it
// may have been computing for as long as any patience lasts, so who waits for
// them does not give up before they do.
func (f *flight) await(ctx context.Context) (sight, error) {
	ctx = f.patient(ctx)
	w := waiting{f: f, circle: circleWatch{flight: f}}
	defer w.circle.end()
	for pause := f.newPause(); ; {
		seen, err := w.look(ctx)
		if err != nil || seen.now != busy {
			return seen, err
		}
		if err := pause.wait(ctx, seen.recheck); err != nil {
			return sight{}, err
		}
	}
}

func (f *flight) patient(ctx context.Context) context.Context {
	return blob.Patient(ctx, blob.Patience{Since: time.Unix(0, 0), What: "the outcome of a run elsewhere of " + f.place.URI()})
}

// look reads the lease, then the result. The order matters: whoever let go of the
// lease before it was read has put the result by then.
func (w *waiting) look(ctx context.Context) (sight, error) {
	f := w.f
	state, version, err := lease.Read(ctx, f.root.store, f.place.Lease())
	if errors.Is(err, lease.ErrDamaged) {
		f.engine.Logger.Warn("a damaged lease is replaced", "call", f.place.URI(), "error", err)
		return sight{now: free, version: version}, nil
	}
	if err != nil {
		return sight{}, err
	}
	outcome, missed, err := f.findResult(ctx)
	switch {
	case err != nil:
		return sight{}, err
	case missed == nil:
		outcome.How = Awaited
		return sight{now: over, outcome: outcome}, nil
	case version == "":
		return sight{now: free}, nil
	case state.Status == lease.StatusReleased && state.LeaseID == w.held:
		return sight{now: free, version: version}, f.sharedFailure(ctx, state.Outcome)
	case state.Status == lease.StatusReleased:
		return sight{now: free, version: version}, nil
	}
	return w.lookAtHolder(ctx, state, version, missed)
}

// lookAtHolder finds out whether the lease's holder still computes.
func (w *waiting) lookAtHolder(ctx context.Context, state lease.State, version blob.Version, missed *miss) (sight, error) {
	f := w.f
	finished, err := f.finished(ctx, missed, state, version)
	switch {
	case err != nil:
		return sight{}, err
	case finished && state.LeaseID == w.held && missed.leaseID == w.held:
		return sight{now: over, outcome: Outcome{Place: f.place, Result: missed.old, How: Awaited}}, nil
	case finished:
		return sight{now: free, version: version}, nil
	}
	w.held = state.LeaseID
	seen, err := f.examine(ctx, state, version)
	if err == nil && seen.now == busy {
		err = w.circle.look(ctx, state)
	}
	return seen, err
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

// examine asks whether the two sessions live that a lease names: the one that
// computes, and the one that watches it. If the watcher lives, a worker that died
// is for the watcher to deal with. If it is dead, a worker that runs on is adopted.
// Where nobody computes any more, the lease is free.
func (f *flight) examine(ctx context.Context, state lease.State, version blob.Version) (sight, error) {
	dead, recheck, err := f.computerIsDead(ctx, state)
	if err != nil {
		return sight{}, err
	}
	watched, again, err := f.watcherLives(ctx, state)
	if err != nil {
		return sight{}, err
	}
	if again > 0 && (recheck == 0 || again < recheck) {
		recheck = again
	}
	if watched {
		return sight{recheck: recheck}, nil
	}
	if (dead || state.Orchestrator != state.Session) && state.Handle != "" && state.Executor == f.call.Executor.Name() {
		seen, err := f.adopt(ctx, state, version, dead)
		if err != nil || seen.now == over {
			return seen, err
		}
	}
	if !dead {
		return sight{recheck: recheck}, nil
	}
	f.engine.Logger.Info("a call whose holder is dead is taken over",
		"call", f.place.URI(), "holder", state.Session, "host", state.Host, "lease", state.LeaseID)
	return sight{now: free, version: version}, nil
}

// computerIsDead asks for the session that computes.
func (f *flight) computerIsDead(ctx context.Context, state lease.State) (dead bool, recheck time.Duration, err error) {
	if state.Session == f.root.session.ID() && !f.root.session.Holds(f.place.Lease()) {
		return true, 0, nil // ours, and no flight here holds it: its result was removed
	}
	return f.dead(ctx, state.Session)
}

// watcherLives asks for the session that watches a worker. There is none where the
// one that computes watches itself; and we ourselves would not wait here.
func (f *flight) watcherLives(ctx context.Context, state lease.State) (lives bool, recheck time.Duration, err error) {
	switch state.Orchestrator {
	case "", state.Session, f.root.session.ID():
		return false, 0, nil
	}
	dead, recheck, err := f.dead(ctx, state.Orchestrator)
	return !dead, recheck, err
}

// dead asks the judge, who has no patience with a store that takes no writes: then
// the session has to be looked at anew.
func (f *flight) dead(ctx context.Context, session string) (dead bool, recheck time.Duration, err error) {
	err = blob.RetryPolicy{}.Do(ctx, func() (err error) { dead, recheck, err = f.root.judge.Dead(ctx, session); return err })
	return dead, recheck, err
}

// sharedFailure is the error of the run that we waited for; nil where that was
// cancelled rather than failed, so that we take over.
func (f *flight) sharedFailure(ctx context.Context, outcome *lease.Outcome) error {
	if outcome == nil {
		return nil
	}
	switch outcome.Kind {
	case runs.FuncError:
		found, err := f.place.Error(ctx)
		if err == nil && found.RunID == outcome.RunID {
			return f.funcError(found)
		}
		// Somebody failed anew meanwhile; the lease has the essence.
		return f.newFuncError(outcome.RunID, record.FuncError{Message: outcome.Message})
	case runs.ExecError:
		return &executor.Error{Reason: executor.Reason(outcome.Reason), Message: outcome.Message, Tail: outcome.Detail}
	default:
		return nil
	}
}

// adopt attaches to a worker whose orchestrator is dead, becomes its orchestrator,
// and follows it to its end. If there is no such worker any more, or somebody
// else adopts it, the call is busy still.
func (f *flight) adopt(ctx context.Context, state lease.State, version blob.Version, dead bool) (sight, error) {
	inv := f.invocation(state.ID)
	if executor.RunsRemotely(f.call.Executor) { // it follows what is printed by itself
		output := f.openOutput(state.RunID)
		defer output.Close(ctx)
		inv.Log = output.write
	}
	w, err := f.call.Executor.Attach(ctx, inv, state.Handle)
	if errors.Is(err, executor.ErrGone) {
		return sight{}, nil
	}
	if err != nil {
		return sight{}, fmt.Errorf("the worker of %s could not be attached to: %w", f.place.URI(), err)
	}
	state.Orchestrator = "" // Take fills in this session
	if dead {
		state.Session = ""
	}
	ctx, held, err := f.root.session.Take(ctx, f.place.Lease(), version, state)
	if err != nil {
		w.Release()
		if blob.Is(err, blob.Mismatch) {
			return sight{}, nil // somebody was faster, or the worker has just taken its lease
		}
		return sight{}, err
	}
	f.engine.Logger.Info("a worker that lost its orchestrator is adopted", "call", f.place.URI(), "run", state.RunID, "worker", state.Handle)
	f.item.Running(state.RunID, state.Handle)
	seen, err := f.follow(ctx, w, state)
	_, incompatible := isIncompatible(err)
	switch failed, ok := errors.AsType[*FuncError](err); {
	case ok:
		f.letGo(held, outcomeOf(failed.RunID, err))
	case err == nil, incompatible:
		held.Done()
	default:
		f.resign(held)
	}
	return seen, err
}

// follow waits for a worker that was adopted, showing what it prints. It is not
// ours to stop: who only attached lets it run on. A worker that left nothing, or
// whose lease is lost, leaves the call busy: the next look says more.
func (f *flight) follow(ctx context.Context, w executor.Worker, state lease.State) (sight, error) {
	stop := func() {}
	if !executor.RunsRemotely(f.call.Executor) {
		stop = f.followLog(state.RunID)
	}
	_, err := w.Wait(ctx)
	stop()
	if err != nil {
		w.Release()
		if errors.Is(context.Cause(ctx), lease.ErrLost) {
			return sight{}, nil
		}
		return sight{}, f.cancelled(err)
	}
	patient := f.patient(f.ctx)
	outcome, missed, err := f.findResult(patient)
	switch {
	case err != nil:
		return sight{}, err
	case missed == nil:
		outcome.How = Awaited
		return sight{now: over, outcome: outcome}, nil
	}
	if found, err := f.place.Error(patient); err == nil && found.RunID == state.RunID {
		return sight{}, f.funcError(found)
	}
	return sight{}, nil
}
