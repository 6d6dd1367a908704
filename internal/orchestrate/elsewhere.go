package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/ability"
	"github.com/TrilliantHealth/mops-go/internal/config"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/record"
	"github.com/TrilliantHealth/mops-go/internal/worker"
)

const (
	// settleTimeout bounds what is done after a run has ended, whatever ended
	// it: reading what it left, releasing its lease.
	settleTimeout = time.Minute
	// stopTimeout bounds the stopping of a worker. A cluster gives a pod 30 s to
	// end, and takes its time when hundreds do.
	stopTimeout = 5 * time.Minute
)

// elsewhere runs the call in a worker process, which takes the lease into its
// own session and leaves what it made in the store.
func (o *owned) elsewhere(ctx context.Context) (Outcome, error) {
	spec, err := o.spec(ctx)
	if err != nil {
		return Outcome{}, err
	}
	inv := o.invocation(o.state)
	inv.Env, inv.Failed = []string{worker.Variable + "=" + spec}, o.failed
	output := o.openOutput(o.state.RunID)
	defer output.Close(ctx)
	inv.Log = output.write
	w, err := o.call.Executor.Start(ctx, inv)
	if err != nil {
		if ctx.Err() != nil {
			return Outcome{}, o.stopped(ctx)
		}
		return Outcome{}, err
	}
	defer o.tellWaits()() // see circleWatch
	exit, err := w.Wait(ctx)
	if err != nil {
		return Outcome{}, o.stop(ctx, w)
	}
	return o.outcomeElsewhere(exit)
}

// stop ends a worker whose run was cancelled or timed out. With Detach, a
// cancelled run goes on, and so does its lease. A worker whose lease we lost is
// somebody else's: it was adopted, or will find out by itself.
func (o *owned) stop(ctx context.Context, w executor.Worker) error {
	if errors.Is(context.Cause(ctx), lease.ErrLost) {
		w.Release()
		return o.stopped(ctx)
	}
	late := errors.Is(context.Cause(ctx), errTimeout)
	if o.call.Detach && !late && w.Handle() != "" {
		w.Release()
		o.left = true
		o.resign(o.held)
		o.engine.Logger.Info("a worker is left running", "call", o.place.URI(), "run", o.state.RunID, "worker", w.Handle())
		return context.Cause(ctx)
	}
	o.engine.stopping.Add(1)
	defer o.engine.stopping.Add(-1)
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := w.Stop(settle); err != nil {
		// It may still run, so its lease stays its own: it ends with its session.
		o.left = true
		o.resign(o.held)
		return fmt.Errorf("the worker of run %s could not be stopped: %w", o.state.RunID, err)
	}
	if late {
		o.leaveRun(settle, timedOut(o.state.RunID, o.call.Timeout))
	}
	return o.stopped(ctx)
}

// outcomeElsewhere reads what a worker that ended left in the store.
func (o *owned) outcomeElsewhere(exit executor.Exit) (Outcome, error) {
	ctx, cancel := o.afterRun()
	defer cancel()
	switch exit.Code {
	case executor.ExitLost:
		return Outcome{}, lease.ErrLost
	case executor.ExitFunc:
		found, err := o.place.Error(ctx)
		if err == nil && found.RunID == o.state.RunID {
			return Outcome{}, o.funcError(found)
		}
	}
	found, err := o.place.Result(ctx)
	switch {
	case err == nil && found.RunID == o.state.RunID:
		return Outcome{Place: o.place, Result: found, How: Computed}, nil
	case err == nil && found.Info.Version != o.miss.info.Version: // another run was faster
		return Outcome{Place: o.place, Result: found, How: Awaited}, o.call.fits(found, o.place)
	case err != nil && exit.Err == nil && !blob.Is(err, blob.NotFound) && !errors.Is(err, record.ErrDamaged):
		return Outcome{}, err // the worker has done what it could
	}
	failure := o.failureElsewhere(ctx, exit)
	o.leaveRun(ctx, failure)
	return Outcome{}, failure
}

// afterRun is the context for looking at what a worker left: as patient as the
// run was long, unless the call is cancelled. Then what can be seen within
// settleTimeout has to do.
func (o *owned) afterRun() (context.Context, context.CancelFunc) {
	if o.ctx.Err() != nil {
		return context.WithTimeout(context.WithoutCancel(o.ctx), settleTimeout)
	}
	return context.WithCancel(blob.Patient(o.ctx, blob.Patience{
		Since: o.started, What: fmt.Sprintf("what run %s of %s left", o.state.RunID, o.place.URI()), Made: true}))
}

// failureElsewhere says why a worker left no result: in its own words where it
// could still write them, else as the executor saw it.
func (o *owned) failureElsewhere(ctx context.Context, exit executor.Exit) *executor.Error {
	if exit.Err != nil && !ownWordsKnowMore[exit.Err.Reason] {
		return exit.Err
	}
	if left, err := o.place.ReadRun(ctx, o.state.RunID); err == nil && left.Run.Reason != "" {
		failure := &executor.Error{Reason: executor.Reason(left.Run.Reason), Message: left.Run.Error}
		if exit.Err != nil {
			failure.Tail = exit.Err.Tail
		}
		return failure
	}
	if exit.Err != nil {
		return exit.Err
	}
	return &executor.Error{Reason: executor.NoResult, Message: fmt.Sprintf(
		"the worker of run %s, on the executor %s, exited with code %d and left neither a result nor an error: a function must return, not call os.Exit",
		o.state.RunID, o.state.Executor, exit.Code)}
}

// ownWordsKnowMore are the ends of which the worker itself, while it still
// could, may have said more than its executor saw. What the others name, it
// could not know.
var ownWordsKnowMore = map[executor.Reason]bool{
	executor.WorkerFailed: true, executor.Signalled: true, executor.WorkerLost: true, executor.NoResult: true,
}

// leaveRun records a run that ended without result or error, for people.
func (o *owned) leaveRun(ctx context.Context, failure *executor.Error) {
	if left, err := o.place.ReadRun(ctx, o.state.RunID); err == nil && left.Run.Reason == string(failure.Reason) {
		return // the worker has, and knows more
	}
	run := record.Run{
		LeaseID: o.state.LeaseID, Attempt: o.state.Attempt, Executor: o.state.Executor,
		Outcome: "exec_error", Reason: string(failure.Reason), Error: failure.Text(), Started: o.started.UTC(), Ended: time.Now().UTC(),
	}
	run.WallSeconds = run.Ended.Sub(run.Started).Seconds()
	err := o.place.PutRun(blob.Patient(ctx, blob.Patience{}), record.RunHeader{
		Head: o.call.Function.Head(o.place.Key, o.state.RunID),
		Call: o.call.Function.Describe(o.call.Pipeline), Run: run,
	})
	if err != nil {
		o.engine.Logger.Warn("a failed run left no record", "call", o.place.URI(), "run", o.state.RunID, "error", err)
	}
}

// spec is what the worker is told.
func (o *owned) spec(ctx context.Context) (string, error) {
	e := o.engine
	version, err := o.held.Version(ctx)
	if err != nil {
		return "", err
	}
	state, err := o.held.State(ctx)
	if err != nil {
		return "", err
	}
	at := o.call.Executor
	spec := worker.Spec{
		Root: ability.RootFor(at, o.root.store.Address()), Path: o.place.Path, Function: o.call.Function.Name, Pipeline: o.call.Pipeline,
		Schema:  o.call.Function.SchemaHash(),
		LeaseID: o.state.LeaseID, LeaseVersion: string(version), RunID: o.state.RunID, Attempt: o.state.Attempt, Timeout: o.call.Timeout, StorageTTL: o.call.StorageTTL,
		AtStake:      max(time.Since(e.began), worker.FromContext(o.ctx).AtStake()),
		Orchestrator: state.Orchestrator, Executor: o.state.Executor, Handle: o.state.Handle,
		Replace: string(o.miss.info.Version), Chain: o.chain.Push(o.place.Key).Links(),
		Config: e.ConfigPath, Isolated: e.Isolated, Defaults: e.portable(e.Defaults, at), Context: e.portable(o.call.Context, at), Since: e.since(ctx, o.root),
	}
	remote := ability.RunsRemotely(at)
	spec.Supervised = remote
	if remote || e.Elsewhere {
		spec.ConfigText, spec.Environ = e.ConfigText, e.portable(e.Environ, at)
		if spec.ConfigText == "" {
			spec.Config = ""
		}
	}
	if o.pool != nil && !remote {
		if spec.Tree, err = e.tree(o.pool, o.slot.Holder); err != nil {
			e.Logger.Warn("the calls that a worker makes have slots of their own", "error", err)
		}
	}
	return spec.Encode()
}

// portable are settings for a worker, whose current folder may be another, and
// its machine: a root that is relative to ours is none to it.
func (e *Engine) portable(s config.Settings, at executor.Executor) config.Settings {
	if s.Root == nil {
		return s
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r, open := e.roots[*s.Root]; open {
		absolute := ability.RootFor(at, r.store.Address())
		s.Root = &absolute
	}
	return s
}

// invocation is the run as executors see it.
func (f *flight) invocation(state lease.State) executor.Invocation {
	return executor.Invocation{
		Function: f.call.Function.ID(), MemoURI: f.place.URI(),
		LeaseID: state.LeaseID, RunID: state.RunID, Attempt: state.Attempt,
		Settings: f.engine.Executors[f.call.Executor.Name()], Logger: f.engine.Logger,
	}
}
