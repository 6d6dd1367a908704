package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Waiting for a call that another process computes.
//
// The problem: the process that holds the lease may finish, fail, crash, be cut
// off from the store, or leave its worker running without it. A waiter sees
// none of that; it sees only blobs: the lease, the result, and the sessions
// that the lease names.
//
// The idea: look again and again, and let each look end in one of three
// standings: the call is over, its lease is free, or another session is busy
// with it. A look asks in this order:
//
//   - Is there a result? Then the call is over. Was the lease that we waited for
//     released with a failure? Then the wait ends with that error.
//   - Was the lease released otherwise, or is it absent? Then it is free.
//   - Does the session live that watches a worker? Then the call is busy, and
//     that session deals with a worker that dies.
//   - Is that session dead, and may its worker run on? Then we try to become the
//     worker's orchestrator: see adopt.
//   - Does the session live that computes? Then the call is busy; else nobody
//     computes, and the lease is free.
//
// Why it is right: a wrong "busy" only costs another look. A wrong "free" only
// costs work, because the caller swaps the lease from exactly the version that
// this look saw, and results are written once. Only an outcome must be right,
// and it comes from a result or a recorded failure alone.

// standing is how a call stands while another session has its lease.
type standing int

const (
	busy standing = iota // a session computes it
	free                 // nobody computes it: the lease may be taken
	over                 // it has an outcome
)

// sight is what one look at a call shows.
type sight struct {
	now     standing
	outcome Outcome       // set when over
	version blob.Version  // set when free: the version to swap the lease from; "" if there is no lease
	recheck time.Duration // set when busy: when another look may show more; 0 if unknown
}

// waiting is one wait for a lease that another session holds.
type waiting struct {
	f      *flight
	held   string // lease id seen at the last look: we share the outcome of its run
	circle circleWatch
}

// await waits until the call has an outcome or its lease is free. The holder
// may have been computing for as long as any patience lasts, so its waiters do
// not give up before it does.
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

// look reads the lease, then the result. The order matters: a holder puts the
// result before it lets go of the lease. So if this look finds the lease
// released and then no result, that run left none.
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
	f.tell(event.Event{Kind: event.Waiting, Wait: event.ForLease, ID: state.ID, For: holderOf(state)})
	seen, err := f.examine(ctx, state, version)
	if err == nil && seen.now == busy {
		err = w.circle.look(ctx, state)
	}
	return seen, err
}

// finished reports whether the lease's holder is done although the lease looks
// held.
//
// A success never releases its lease; normally its result says that it is done.
// But a result that is damaged, or is to be refreshed, counts as a miss here.
// Did the present holder put it, and is done? Or was it there before, and the
// holder is about to replace it? A sound result names its lease. A damaged one
// has only its date: if it is younger than the lease, the holder put it. Both
// dates are the store's, so they compare, but no better than to clockGrain.
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

// clockGrain is how far the dates of two blobs may be out of order: drivers
// shift those of files by up to 1 ms, and the kernel's clock for files ticks
// every 1 to 10 ms.
const clockGrain = 20 * time.Millisecond

// examine asks whether the two sessions that a lease names are alive: the one
// that computes, and the one that watches it. If the watcher lives, it deals
// with a dead worker, and we only wait. If the watcher is dead and a worker
// runs on, we adopt the worker. If nobody computes, the lease is free.
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
	f.tell(event.Event{Kind: event.TakenOver, ID: state.ID, For: state.Session, Place: executor.Place{Host: state.Host}})
	return sight{now: free, version: version}, nil
}

// computerIsDead reports whether the session that computes is dead.
func (f *flight) computerIsDead(ctx context.Context, state lease.State) (dead bool, recheck time.Duration, err error) {
	if state.Session == f.root.session.ID() && !f.root.session.Holds(f.place.Lease()) {
		return true, 0, nil // ours, and no flight here holds it: its result was removed
	}
	return f.dead(ctx, state.Session)
}

// watcherLives reports whether the session that watches a worker is alive. No
// session watches if the one that computes watches itself; nor do we, since
// then we would not wait here.
func (f *flight) watcherLives(ctx context.Context, state lease.State) (lives bool, recheck time.Duration, err error) {
	switch state.Orchestrator {
	case "", state.Session, f.root.session.ID():
		return false, 0, nil
	}
	dead, recheck, err := f.dead(ctx, state.Orchestrator)
	return !dead, recheck, err
}

// dead asks the judge without patience: while the store takes no writes, each
// look must judge the session anew.
func (f *flight) dead(ctx context.Context, session string) (dead bool, recheck time.Duration, err error) {
	err = blob.RetryPolicy{}.Do(ctx, func() (err error) { dead, recheck, err = f.root.judge.Dead(ctx, session); return err })
	return dead, recheck, err
}

// sharedFailure returns the error of the run that we waited for. It returns nil
// if that run was cancelled rather than failed: then we take over.
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
		// Another run failed meanwhile and wrote over the record; the lease has
		// the essence.
		return f.newFuncError(outcome.RunID, record.FuncError{Message: outcome.Message}, record.Figures{})
	case runs.ExecError:
		return &executor.Error{Reason: outcome.Reason, Message: outcome.Message, Tail: outcome.Detail}
	default:
		return nil
	}
}

// adopt attaches to a worker whose orchestrator is dead, becomes its
// orchestrator, and follows it to its end. If the worker is gone, or another
// process adopts it first, the call stays busy.
func (f *flight) adopt(ctx context.Context, state lease.State, version blob.Version, dead bool) (sight, error) {
	inv := f.invocation(state.ID)
	if ability.RunsRemotely(f.call.Executor) { // such an executor follows the worker's output itself
		output := f.openOutput(state.RunID)
		defer output.Close(ctx)
		inv.Log = output.write
	}
	f.tale.expects(state.ID)
	f.tellOf(&inv, func(executor.Stage) {})
	w, err := f.attach(ctx, inv, state.Handle)
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
			return sight{}, nil // another process was faster, or the worker has just taken its lease
		}
		return sight{}, err
	}
	f.tell(event.Event{Kind: event.Adopted, ID: state.ID, Worker: state.Handle})
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

// follow waits for an adopted worker and shows what it prints. We did not start
// it, so we do not stop it: if the wait ends early, the worker runs on. If it
// left nothing, or we lost its lease, the call stays busy, and the next look
// says more.
func (f *flight) follow(ctx context.Context, w executor.Worker, state lease.State) (sight, error) {
	stop := func() {}
	if !ability.RunsRemotely(f.call.Executor) {
		stop = f.followLog(state.RunID)
	}
	exit, err := w.Wait(ctx)
	stop()
	if err != nil {
		w.Release()
		if lost := context.Cause(ctx); errors.Is(lost, lease.ErrLost) {
			f.tell(event.Event{Kind: event.AttemptEnded, ID: state.ID, Err: lost, Reason: executor.LeaseLost, Detached: true})
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
	f.tellLeftNothing(state.ID, exit)
	return sight{}, nil
}

// Pauses between two looks at a call that another session computes. They start
// short and grow up to a bound: a waiter returns within 0.3 s of the result
// where a look costs microseconds, and within 1 s where a look is a request.
const (
	firstPause  = 20 * time.Millisecond
	localPause  = 200 * time.Millisecond
	remotePause = 800 * time.Millisecond

	// pausePerWaiter bounds what all waiters of a process cost together: a
	// thousand of them look at most five thousand times a second, and a hundred
	// thousand no more often.
	pausePerWaiter = 200 * time.Microsecond
)

// waiters counts the waiters of this process.
var waiters atomic.Int64

type pause struct {
	next, most time.Duration
}

func (f *flight) newPause() *pause {
	most := remotePause
	if f.root.store.IsLocal() {
		most = localPause
	}
	return &pause{next: firstPause, most: most}
}

// wait pauses, at most for recheck unless that is 0.
func (p *pause) wait(ctx context.Context, recheck time.Duration) error {
	most := max(p.most, time.Duration(waiters.Add(1))*pausePerWaiter)
	defer waiters.Add(-1)
	d := min(p.next, most)
	p.next = min(p.next*3/2, most)
	d = d*3/4 + rand.N(d/4+1) // so that waiters don't march in step
	if recheck > 0 {
		d = min(d, recheck)
	}
	if !sleep.For(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}
