package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// stopTimeout bounds how long stopping a worker may take. A cluster gives a pod
// 30 s to end, and takes its time when hundreds end.
const stopTimeout = 5 * time.Minute

// elsewhere runs the call in a worker process, which takes the lease into its
// own session and leaves its result or error in the store.
func (c *computing) elsewhere(ctx context.Context, clock *limit) (Outcome, error) {
	if p := c.packer(); p != nil && !c.packed.alone {
		return c.inPack(ctx, clock, p)
	} else if p != nil {
		release, err := p.Single(ctx)
		if err != nil {
			return Outcome{}, c.stopped(ctx)
		}
		defer release()
	}
	return c.byItself(ctx, clock)
}

// byItself runs the call in a worker of its own.
func (c *computing) byItself(ctx context.Context, clock *limit) (Outcome, error) {
	spec, err := c.spec(ctx)
	if err != nil {
		return Outcome{}, err
	}
	inv := c.f.invocation(c.ID)
	inv.Env, inv.Failed = []string{worker.Variable + "=" + spec}, c.failed
	inv.ExhaustedMemory = c.had
	output := c.f.openOutput(c.RunID)
	defer output.Close(ctx)
	inv.Log = output.write
	var told atomic.Bool
	c.f.tellOf(&inv, func(stage executor.Stage) {
		told.Store(true)
		clock.tell(stage)
	})
	w, err := c.f.call.Executor.Start(ctx, inv)
	if err != nil {
		if ctx.Err() != nil {
			return Outcome{}, c.stopped(ctx)
		}
		return Outcome{}, err
	}
	c.tellWorker(w.Handle())
	if !told.Load() {
		inv.Tell(executor.Running)
	}
	defer c.f.tellWaits()() // see circleWatch
	exit, err := w.Wait(ctx)
	if err != nil {
		return Outcome{}, c.stop(ctx, w)
	}
	c.exit = exit
	return c.outcomeElsewhere(exit)
}

// stop ends a worker whose run was cancelled or timed out. With Detach, a
// cancelled run goes on and keeps its lease. If we lost the lease, the worker
// is not ours to stop: another process adopted it, or it will find out by
// itself.
func (c *computing) stop(ctx context.Context, w executor.Worker) error {
	if errors.Is(context.Cause(ctx), lease.ErrLost) {
		w.Release()
		return c.stopped(ctx)
	}
	late := errors.Is(context.Cause(ctx), errTimeout)
	if c.f.call.Detach && !late && w.Handle() != "" {
		w.Release()
		c.resign()
		c.detached = true
		return context.Cause(ctx)
	}
	c.f.engine.stopping.Add(1)
	defer c.f.engine.stopping.Add(-1)
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := w.Stop(settle); err != nil {
		// It may still run, so it keeps its lease, which ends with its session.
		c.resign()
		return fmt.Errorf("the worker of run %s could not be stopped: %w", c.RunID, err)
	}
	if late {
		c.leaveRun(settle, c.timedOut())
	}
	return c.stopped(ctx)
}

// outcomeElsewhere reads what an ended worker left in the store.
func (c *computing) outcomeElsewhere(exit executor.Exit) (Outcome, error) {
	ctx, cancel := c.afterRun()
	defer cancel()
	switch exit.Code {
	case executor.ExitLost:
		return Outcome{}, lease.ErrLost
	case executor.ExitFunc, -1: // or nobody saw how it ended
		found, err := c.f.place.Error(ctx)
		if err == nil && found.RunID == c.RunID {
			return Outcome{}, c.f.funcError(found)
		}
	}
	found, err := c.f.place.Result(ctx)
	switch {
	case err == nil && found.RunID == c.RunID:
		return Outcome{Place: c.f.place, Result: found, How: Computed}, nil
	case err == nil && found.Info.Version != c.f.miss.info.Version: // another run was faster
		return Outcome{Place: c.f.place, Result: found, How: Awaited}, c.f.othersResult(ctx, found)
	case err != nil && exit.Err == nil && !blob.Is(err, blob.NotFound) && !errors.Is(err, record.ErrDamaged):
		return Outcome{}, err // the store failed, not the worker
	}
	failure := c.failureElsewhere(ctx, exit)
	c.leaveRun(ctx, failure)
	return Outcome{}, failure
}

// afterRun is the context for reading what a worker left. It is as patient as
// the run was long. If the call is cancelled, it gives the store settleTimeout.
func (c *computing) afterRun() (context.Context, context.CancelFunc) {
	if c.ctx.Err() != nil {
		return context.WithTimeout(context.WithoutCancel(c.ctx), settleTimeout)
	}
	return context.WithCancel(blob.Patient(c.ctx, blob.Patience{
		Since: c.started, What: fmt.Sprintf("what run %s of %s left", c.RunID, c.f.place.URI()), Made: true}))
}

// failureElsewhere says why a worker left no result: in the worker's own words
// if it could still write them, else as the executor saw it.
func (c *computing) failureElsewhere(ctx context.Context, exit executor.Exit) *executor.Error {
	if exit.Err != nil && !ownWordsKnowMore[exit.Err.Reason] {
		return exit.Err
	}
	if left, err := c.f.place.ReadRun(ctx, c.RunID); err == nil && left.Run.Reason != "" {
		failure := &executor.Error{Reason: left.Run.Reason, Message: left.Run.Error}
		if failure.Reason == executor.OOMKilled {
			c.exit.PeakMemory = max(c.exit.PeakMemory, left.Run.MemoryLimit)
		}
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
		c.RunID, c.Executor, exit.Code)}
}

// ownWordsKnowMore lists the failures that the worker may have explained better
// than its executor, while it still could. A worker cannot know of the other
// failures.
var ownWordsKnowMore = map[executor.Reason]bool{
	executor.WorkerFailed: true, executor.Signalled: true, executor.WorkerLost: true, executor.NoResult: true,
}

// leaveRun records a run that ended without result or error, for people.
func (c *computing) leaveRun(ctx context.Context, failure *executor.Error) {
	if left, err := c.f.place.ReadRun(ctx, c.RunID); err == nil && left.Run.Reason == failure.Reason {
		return // the worker recorded it, and knows more
	}
	err := c.f.place.PutRun(blob.Patient(ctx, blob.Patience{}), record.RunHeader{
		Head: c.f.call.Function.Head(c.f.place.Key, c.RunID),
		Call: c.f.call.Function.Describe(c.f.call.Pipeline), Run: c.record(failure),
	})
	if err != nil {
		c.f.engine.Logger.Warn("a failed run left no record", "call", c.f.place.URI(), "run", c.RunID, "error", err)
	}
}

// spec encodes what the worker is told.
func (c *computing) spec(ctx context.Context) (string, error) {
	e := c.f.engine
	version, err := c.held.Version(ctx)
	if err != nil {
		return "", err
	}
	state, err := c.held.State(ctx)
	if err != nil {
		return "", err
	}
	at := c.f.call.Executor
	remote, packed := ability.RunsRemotely(at), c.isPacked()
	spec := worker.Spec{
		Assignment: c.assignment(), Surroundings: e.Surroundings,
		Root: ability.RootFor(at, c.f.root.store.Address()), Path: c.f.place.Path, Function: c.f.call.Function.Name, Schema: c.f.call.Function.SchemaHash(),
		LeaseVersion: version, Orchestrator: state.Orchestrator, Handle: c.handle,
		Carried: e.carry(ctx),
		Context: e.portable(c.f.call.Context, at), Supervised: remote && !packed, Packed: packed,
	}
	if packed {
		spec.Side = ability.Packing(at).Side
	}
	spec.Origin = c.f.call.Function.Origin()
	spec.Edited = c.f.call.Function.EditedNearby()
	_, same := c.f.call.Function.Code()
	for _, s := range same {
		spec.SameCode = append(spec.SameCode, s.Hash)
	}
	spec.AtStake = max(time.Since(e.began), worker.FromContext(c.ctx).AtStake())
	spec.Defaults, spec.Environ = e.portable(e.Defaults, at), e.portable(e.Environ, at)
	spec.Since, spec.Tree = e.since(ctx, c.f.root), nil
	if root := e.RunRoot(ctx); root != "" {
		spec.RunRoot = ability.RootFor(at, root)
	}
	switch {
	case !remote && !e.Elsewhere:
		spec.ConfigText, spec.Environ, spec.Executors = "", config.Settings{}, nil // it sees ours
	case spec.ConfigText == "":
		spec.Config = ""
	}
	if c.f.pool != nil && !remote {
		if spec.Tree, err = e.tree(c.f.pool, c.f.slot.Holder); err != nil {
			e.Logger.Warn("the calls that a worker makes have slots of their own", "error", err)
		}
	}
	return spec.Encode()
}

// carry is what a worker elsewhere gets of the context of its run.
func (e *Engine) carry(ctx context.Context) map[string]string {
	if e.Carry == nil {
		return nil
	}
	return e.Carry(ctx)
}

// assignment is what the run is told of itself, wherever it runs.
func (c *computing) assignment() worker.Assignment {
	f := c.f
	return worker.Assignment{ID: c.ID, Caller: f.caller(), Terms: f.call.Terms, Fields: f.engine.Fields, Chain: f.chain.Push(f.place.Key), Replace: f.miss.info.Version}
}

// portable makes settings fit for a worker, which may have another current
// folder or run on another machine: a relative root means nothing there.
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
func (f *flight) invocation(id runs.ID) executor.Invocation {
	return executor.Invocation{
		Function: f.call.Function.ID(), MemoURI: f.place.URI(), Pipeline: f.call.Pipeline, ID: id,
		Logger: f.engine.Logger, History: f.history,
		Lives: func(ctx context.Context) (bool, error) { return f.lives(ctx, id) },
	}
}

// lives reports whether the worker of a run renews its session. One that has not
// taken its lease yet gives no sign of life.
func (f *flight) lives(ctx context.Context, id runs.ID) (bool, error) {
	state, _, err := lease.Read(ctx, f.root.store, f.place.Lease())
	switch {
	case err != nil:
		return true, err
	case state.LeaseID != id.LeaseID || state.RunID != id.RunID:
		return true, nil // the lease is another run's, and so is the judgement
	case state.Session == state.Orchestrator:
		return false, nil
	}
	dead, _, err := f.dead(ctx, state.Session)
	return !dead, err
}

// output is where a worker's lines go: to the person at the terminal, and into
// the log of its run.
type output struct {
	kept  *runlog.Writer // nil if the worker keeps its own log
	shown io.WriteCloser // may be nil
}

func (f *flight) openOutput(runID string) *output {
	out := &output{}
	if !ability.RunsRemotely(f.call.Executor) {
		out.kept = runlog.NewWriter(f.root.store, f.place.Log(runID), 1, f.engine.Logger)
	}
	if f.engine.Output != nil {
		out.shown = f.engine.Output(f.call.Function.Name, f.place.URI())
	}
	return out
}

func (o *output) write(chunk []byte) {
	if o.kept != nil {
		o.kept.Write(chunk)
	}
	if o.shown != nil {
		o.shown.Write(chunk)
	}
}

// Close keeps and shows the rest. The context is the run's.
func (o *output) Close(ctx context.Context) {
	if o.kept != nil {
		o.kept.Close(ctx)
	}
	if o.shown != nil {
		o.shown.Close()
	}
}

// followInterval is how often we look at the log of a worker that is not our
// child: its chunks come about as often.
const followInterval = 2 * time.Second

// followLog shows the log that a worker keeps by itself, until stop is called,
// which shows the rest.
func (f *flight) followLog(runID string) (stop func()) {
	if f.engine.Output == nil {
		return func() {}
	}
	to := f.engine.Output(f.call.Function.Name, f.place.URI())
	ended, done := make(chan struct{}), make(chan struct{})
	ctx := context.WithoutCancel(f.ctx)
	go func() {
		defer close(done)
		defer to.Close()
		ticker := time.NewTicker(followInterval)
		defer ticker.Stop()
		for next := 1; ; {
			select {
			case <-ticker.C:
				next, _ = runlog.Copy(ctx, to, f.root.store, f.place.Log(runID), next)
			case <-ended:
				runlog.Copy(ctx, to, f.root.store, f.place.Log(runID), next)
				return
			}
		}
	}()
	return func() { close(ended); <-done }
}
