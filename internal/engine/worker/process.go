package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/records/usage"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Process is a worker that is a process of its own.
type Process struct {
	Spec     Spec
	Registry *function.Registry
	Files    *source.Files
	Logger   *slog.Logger
	Slot     Slot

	// Inherited is what an executor that starts subprocesses gave this process;
	// nil elsewhere.
	Inherited *inherit.Pipes

	// Root opens the store at a URI, with the session of this process, which
	// nested calls share. The owner of Root closes both after Main.
	Root func(ctx context.Context, uri string) (*blob.Store, *lease.Session, error)

	// Context returns the context of the user's function, in which nested calls
	// find their environment.
	Context func(context.Context) context.Context

	// Begin is called before the work begins, and the function that it returns when
	// that has ended. May be nil.
	Begin func(ctx context.Context, memoURI string) (_ context.Context, end func(error))
}

// Main runs the invocation and returns the exit code. If mops itself fails, it
// says so on standard error and, with the reason, in the record of the run.
func (p Process) Main(ctx context.Context) int {
	switch {
	case p.Spec.Codes != "":
		return p.codes()
	case p.Spec.Replay != nil:
		return p.replay(ctx)
	}
	caller := ctx
	ctx, stop := signal.NotifyContext(caller, syscall.SIGTERM)
	defer stop()
	ctx = blob.Patient(ctx, blob.Patience{Since: time.Now().Add(-p.Spec.AtStake), What: "this worker, and those who wait for it,"})
	store, session, err := p.Root(ctx, p.Spec.Root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		if blob.Is(err, blob.Denied) || blob.Is(err, blob.Invalid) {
			return executor.ExitUnfit
		}
		return executor.ExitFailed
	}
	call, err := memokey.Parse(p.Spec.Path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return executor.ExitFailed
	}
	place := memo.Place{Store: store, Path: p.Spec.Path, Key: call.Key}
	if p.Spec.Verify != "" {
		return p.verify(ctx, place)
	}
	defer p.keepLogWhenOrphaned(ctx, store)()
	code, reason, err := p.begun(ctx, place, session)
	if err == nil {
		return code
	}
	if ctx.Err() != nil && caller.Err() == nil && code == executor.ExitFailed {
		// The starter of this worker knows whether it sent the signal, and
		// reports that.
		fmt.Fprintf(os.Stderr, "mops worker: run %s was ended by SIGTERM\n", p.Spec.RunID)
		return exitTerminated
	}
	fmt.Fprintln(os.Stderr, "mops worker:", err)
	if reason != "" {
		p.explain(place, reason, err)
	}
	if reason == executor.VersionSkew || blob.Is(err, blob.Denied) {
		return executor.ExitUnfit
	}
	return code
}

// begun is run, between the beginning and the end that others are told of.
func (p Process) begun(ctx context.Context, place memo.Place, session *lease.Session) (code int, reason executor.Reason, err error) {
	if p.Begin == nil {
		return p.run(ctx, place, session)
	}
	ctx, end := p.Begin(ctx, place.URI())
	code, reason, err = p.run(ctx, place, session)
	switch {
	case err != nil:
		end(err)
	case code == executor.ExitFunc:
		end(errFunc)
	default:
		end(nil)
	}
	return code, reason, err
}

// errFunc is how a run ended whose function failed.
var errFunc = errors.New("the function failed; its error is in the store")

func (p Process) run(ctx context.Context, place memo.Place, session *lease.Session) (code int, reason executor.Reason, err error) {
	invocation, end := readInvocation(ctx, place)
	defer end()
	ctx, held, err := p.takeLease(ctx, place, session)
	if err != nil {
		if errors.Is(err, lease.ErrLost) {
			return executor.ExitLost, "", err
		}
		return executor.ExitFailed, executor.WorkerFailed, err
	}
	defer held.Done()
	task, reason, err := p.task(place, invocation)
	if err != nil {
		return executor.ExitFailed, reason, err
	}
	ctx, cancel := p.bounded(ctx, place)
	defer cancel()
	endUsage := usage.Keep(ctx, place.Store, place.Usage(p.Spec.RunID), p.Spec.container().inUse, p.Logger)
	done := task.Run(p.Context(ctx))
	endUsage()
	switch {
	case done.Unkept != nil:
		return executor.ExitFailed, executor.WorkerFailed, done.Unkept
	case done.Err != nil && errors.Is(done.Err, lease.ErrLost):
		return executor.ExitLost, "", done.Err
	case done.Err != nil && errors.Is(done.Err, errTimeout):
		return executor.ExitFailed, executor.DeadlineExceeded, done.Err
	case done.Err != nil && errors.Is(done.Err, context.Canceled):
		return done.Code(), "", fmt.Errorf("run %s was stopped: %w", p.Spec.RunID, done.Err) // whatever stopped it knows why
	case done.Err != nil:
		return done.Code(), executor.WorkerFailed, done.Err
	}
	return done.Code(), "", nil
}

var errTimeout = errors.New("give it longer with the option Timeout")

// timeoutGrace is how long a function has to heed the end of its time.
const timeoutGrace = 10 * time.Second

// bounded ends the context when the run's time is over, and somewhat later the
// process. Usually the orchestrator stops the worker before that; this is for a
// worker that has lost its orchestrator.
func (p Process) bounded(ctx context.Context, place memo.Place) (context.Context, context.CancelFunc) {
	timeout := p.Spec.Timeout
	if timeout <= 0 {
		return ctx, func() {}
	}
	err := fmt.Errorf("run %s was stopped after %v; %w", p.Spec.RunID, timeout, errTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, err)
	last := time.AfterFunc(timeout+timeoutGrace, func() {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		p.explain(place, executor.DeadlineExceeded, err)
		os.Exit(executor.ExitFailed)
	})
	return ctx, func() { last.Stop(); cancel() }
}

// readInvocation reads the invocation while the lease is taken: neither needs
// the other, and on a service each is a round trip. End gives up a reading that
// nobody needs, and waits until it has ended.
func readInvocation(ctx context.Context, place memo.Place) (wait func() (memo.Found, error), end func()) {
	ctx, cancel := context.WithCancel(ctx)
	wait = sync.OnceValues(func() (memo.Found, error) { return place.Invocation(ctx) })
	go wait()
	return wait, func() { cancel(); wait() }
}

// takeLease swaps the lease into this process's session, from the version that
// the orchestrator passed along. If the version has changed but the lease is
// still ours (another orchestrator adopted us before we began), it swaps from
// the new version.
func (p Process) takeLease(ctx context.Context, place memo.Place, session *lease.Session) (context.Context, *lease.Held, error) {
	state := lease.State{ID: p.Spec.ID, Orchestrator: p.Spec.Orchestrator, Handle: p.Spec.Handle}
	if state.Handle == "" {
		state.Handle = process.Handle{Identity: process.Self(), Call: p.Inherited.Call()}.String()
	}
	for version := p.Spec.LeaseVersion; ; {
		underLease, held, err := session.Take(ctx, place.Lease(), version, state)
		if err == nil {
			return underLease, held, nil
		}
		if !blob.Is(err, blob.Mismatch) {
			return nil, nil, fmt.Errorf("the lease of %s could not be taken: %w", place.URI(), err)
		}
		there, found, err := lease.Read(ctx, place.Store, place.Lease())
		if err != nil {
			return nil, nil, err
		}
		if there.LeaseID != p.Spec.LeaseID || there.RunID != p.Spec.RunID || there.Status != lease.StatusHeld {
			return nil, nil, fmt.Errorf("%w: %s is held by lease %s, and this worker was started under %s", lease.ErrLost, place.URI(), there.LeaseID, p.Spec.LeaseID)
		}
		if p.Spec.Packed && there.Session != "" && there.Session != there.Orchestrator {
			return nil, nil, fmt.Errorf("%w: another worker of the pack has begun %s", lease.ErrLost, place.URI())
		}
		version, state.Orchestrator = found, there.Orchestrator
	}
}

// task makes the task, and checks that this program is one that may run the
// invocation.
func (p Process) task(place memo.Place, read func() (memo.Found, error)) (Task, executor.Reason, error) {
	f, found := p.Registry.Lookup(p.Spec.Function)
	if !found {
		return Task{}, executor.VersionSkew, fmt.Errorf("the worker's program (%s) has no function %s: it is another program or another version than the caller's", describe(record.ThisProgram()), p.Spec.Function)
	}
	if !f.Implemented() {
		return Task{}, executor.VersionSkew, fmt.Errorf("the worker's program: function %s: %w", f.Name, function.ErrNotImplemented)
	}
	if err := f.Prepare(); err != nil {
		return Task{}, executor.WorkerFailed, err
	}
	invocation, err := read()
	if err != nil {
		return Task{}, executor.WorkerFailed, fmt.Errorf("the invocation: %w", err)
	}
	var header record.InvocationHeader
	if err := invocation.Into(&header); err != nil {
		return Task{}, executor.WorkerFailed, err
	}
	if err := checkSkew(header.Call, f.Describe(p.Spec.Pipeline)); err != nil {
		return Task{}, executor.VersionSkew, err
	}
	// Under the usual key may lie another program's invocation, with the same
	// input. So the caller passes the hash of its types apart from it.
	if p.Spec.Schema != "" && p.Spec.Schema != f.SchemaHash() {
		return Task{}, executor.VersionSkew, fmt.Errorf("caller and worker differ in the omitzero fields of the types of %s, or below them: build both from the same source", f.Name)
	}
	if f.Key(invocation.Body) != place.Key && f.ExactKey(invocation.Body) != place.Key {
		return Task{}, executor.VersionSkew, fmt.Errorf("the worker's program makes another memo key of %s: its mops differs from the caller's", place.URI())
	}
	if err := p.checkCode(f, place, header.Program); err != nil {
		return Task{}, executor.VersionSkew, err
	}
	return Task{
		Assignment: p.Spec.Assignment, Function: f, Place: place, Input: invocation.Body, Sources: header.Sources,
		Keep: true, Apart: true, Container: p.Spec.container(), Slot: p.Slot, Files: p.Files, Logger: p.Logger,
	}, "", nil
}

// checkSkew compares the caller's description of the function with the worker's
// own.
func checkSkew(caller, worker record.Call) error {
	for _, difference := range []struct{ what, caller, worker string }{
		{"version", caller.Version, worker.Version},
		{"codec", caller.Codec, worker.Codec},
		{"type of the input", caller.In, worker.In},
		{"type of the output", caller.Out, worker.Out},
		{"functions called", fmt.Sprint(caller.Calls), fmt.Sprint(worker.Calls)},
	} {
		if difference.caller != difference.worker {
			return fmt.Errorf("caller and worker differ in the %s of %s: %s against %s: build both from the same source",
				difference.what, caller.Function, difference.caller, difference.worker)
		}
	}
	return nil
}

// checkCode compares the caller's code of the function with the worker's own.
// Where one of them is not known, it takes another build for other code.
func (p Process) checkCode(f *function.Function, place memo.Place, caller record.Program) error {
	theirs, mine := p.Spec.Origin.Code, f.Origin().Code
	if theirs == "" || mine == "" {
		if program := record.ThisProgram(); caller.Revision != program.Revision {
			p.Logger.Warn("the worker is another build than its caller, with the same versions of all functions",
				"caller", describe(caller), "worker", describe(program))
		}
		return nil
	}
	d := f.Differs(p.Spec.Origin)
	if p.Spec.CodeCheck == code.Off || d == nil || d.Function == f && slices.Contains(p.Spec.SameCode, mine) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), changedTime)
	defer cancel()
	f, is := d.Function, d.Code
	changed := memo.Changed(ctx, place.Store, d.Theirs, d.Mine, is)
	if p.Spec.CodeCheck == code.Warn {
		p.Logger.Warn("the worker computes by other code than its caller's, at the same version: build both from the same source",
			"function", f.ID(), "changed", changed)
		if is == nil {
			return nil
		}
		if err := memo.PutCode(ctx, place.Store, is); err != nil { // the caller describes its own
			p.Logger.Debug("the worker's code could not be described in the store", "function", f.ID(), "error", err)
		}
		return nil
	}
	return fmt.Errorf("the worker's code of %s is other than the caller's (%s): build both from the same source", f.ID(), changed)
}

// changedTime bounds how long is looked for what differs.
const changedTime = 2 * time.Second

func describe(p record.Program) string {
	parts := []string{p.Path, p.Version, p.Revision}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return fmt.Sprint(parts)
}

// explain leaves the reason of a failure of mops itself where the orchestrator
// looks for it.
func (p Process) explain(place memo.Place, reason executor.Reason, cause error) {
	ran := begin(p.Spec.Assignment)
	p.Spec.container().describe(&ran)
	ran.Ended = ran.Started
	ran.Outcome, ran.Reason, ran.Error = runs.ExecError, reason, cause.Error()
	err := place.PutRun(context.Background(), record.RunHeader{
		Head: record.Head{MemoKey: place.Key.String(), RunID: p.Spec.RunID}, Run: ran,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker: the record of the run could not be written:", err)
	}
}

// keepLogWhenOrphaned takes over the log when the orchestrator, which reads the
// output of its workers, is gone: from then on this process writes its output
// into the store. The returned function ends that.
func (p Process) keepLogWhenOrphaned(ctx context.Context, store *blob.Store) (end func()) {
	if p.Inherited == nil {
		return func() {}
	}
	place := memo.Place{Store: store, Path: p.Spec.Path}
	var kept *runlog.Writer
	stop := p.Inherited.Drain(func(chunk []byte) {
		if kept == nil {
			next, _ := runlog.Next(context.Background(), store, place.Log(p.Spec.RunID))
			kept = runlog.NewWriter(store, place.Log(p.Spec.RunID), next, p.Logger)
		}
		kept.Write(chunk)
	})
	return func() {
		stop()
		if kept != nil {
			kept.Close(ctx)
		}
	}
}
