// Package worker runs one invocation of a user's function, in this process or
// as a process of its own: it decodes the input, calls the function, publishes
// the output files, and puts the result if there is none. The orchestrator
// starts it through an executor; the two talk through the blob store alone.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Task is one run of one call.
type Task struct {
	Assignment
	Function *function.Function
	Place    memo.Place
	Input    []byte                  // canonical, as it was hashed
	Sources  []record.SourceLocation // where the files in it lie
	Own      []*source.Ref           // the caller's own, if nothing was stored
	Local    any                     // the caller's own input, in process only: for fields that stay out of the key
	Keep     bool                    // false: nothing is written to the store
	Apart    bool                    // it has this process for itself
	Crash    bool                    // a panic of the function ends the process, when done has been called
	OutDirs  string                  // folder for the OutDirs of this run and of the calls that it makes; "": the one for temporary files

	Container *Container // nil if there is none

	Slot   Slot
	Files  *source.Files
	Logger *slog.Logger
	Output func(function, memoURI string) io.WriteCloser // shows what a run that is not apart prints to its Output; may be nil
}

// Done is how a task ended.
type Done struct {
	Result memo.Found        // of this run, or of another that was faster
	Lost   bool              // another run's result was there first, and is in Result
	Failed *record.FuncError // what the user's function did
	Sealed []byte            // the record of this run's result, or of its failure
	Run    record.Run        // of this run
	Err    error             // what mops itself failed at
	Unkept error             // the result is right, but could not be stored
	Exits  bool              // the function ends, by runtime.Goexit, the goroutine of RunOn
}

// Code is the exit code that says so.
func (d Done) Code() int {
	switch {
	case d.Err != nil:
		return executor.ExitFailed
	case d.Failed != nil:
		return executor.ExitFunc
	}
	return executor.ExitOK
}

// durableAfter is how long a run must take for its result to be worth an fsync:
// a shorter run is cheaper to compute again after a loss of power.
const durableAfter = time.Second

// modulesAfter is how long a run must take for its record to list the modules
// that the program was built from.
const modulesAfter = time.Minute

// Run is RunOn on a goroutine of its own, which a Goexit of the function ends.
func (t Task) Run(ctx context.Context) (done Done) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.RunOn(ctx, func(d Done) { done = d })
	}()
	<-ended
	done.Exits = false
	return done
}

// RunOn runs the task. The context ends when the call is cancelled or the lease
// is lost; what the function returns after that is ignored. RunOn calls done
// once, before it returns or the function ends the goroutine by runtime.Goexit.
func (t Task) RunOn(ctx context.Context, done func(Done)) {
	running := &Running{
		Function: t.Function.ID(), URI: t.Place.URI(), ID: t.ID,
		Chain: t.Chain, slot: t.Slot, outDirs: cmp.Or(t.OutDirs, FromContext(ctx).outDirsOf()),
		logger: t.Logger, place: t.Place, within: FromContext(ctx), fields: t.Fields.Values(),
		name: t.Function.Name, apart: t.Apart, keep: t.Keep, show: t.Output,
	}
	ran := begin(t.Assignment)
	running.since = ran.Started.Add(-max(t.AtStake, FromContext(ctx).AtStake()))
	in, err := t.decode(ctx)
	if err != nil {
		done(Done{Err: err, Run: ran})
		return
	}
	cpuBefore, _ := process.Usage()
	ctx = blob.Patient(ctx, t.patience(running.since))
	guard(running.in(ctx), t.Function, in, t.Crash, func(out any, err error) {
		t.end(&ran, running, cpuBefore)
		written := running.output.end(ctx)
		end := t.conclude(ctx, running, out, err, ran)
		written()
		end.Exits = isGoexit(err)
		done(end)
		if dir := running.madeOutDir(); dir != "" && t.Keep {
			os.RemoveAll(dir)
		}
	})
}

// patience with the store grows with the time that the run took so far: an
// outage must not destroy what was computed.
func (t Task) patience(since time.Time) blob.Patience {
	return blob.Patience{Since: since, What: fmt.Sprintf("run %s of %s", t.RunID, t.Place.URI()), Made: true}
}

// keeping is the context for writing the records of a run. Their place was
// writable when the run began.
func (t Task) keeping(ctx context.Context, ran record.Run) context.Context {
	patience := t.patience(ran.Started.Add(-t.AtStake))
	patience.Allowed = true
	return blob.Patient(ctx, patience)
}

// conclude keeps what the function returned, unless its context has ended: then
// it may be half of the work.
func (t Task) conclude(ctx context.Context, running *Running, out any, err error, ran record.Run) Done {
	if died, ok := err.(*function.Died); ok {
		return Done{Err: died.Unwrap(), Run: ran}
	}
	if ctx.Err() == nil {
		var done Done
		if err == nil {
			done = t.succeed(ctx, running, out, ran)
		} else {
			done = t.fail(ctx, err, ran)
		}
		if done.Unkept == nil || ctx.Err() == nil {
			return done
		}
	}
	return Done{Err: context.Cause(ctx), Run: ran}
}

func (t Task) decode(ctx context.Context) (any, error) {
	in := t.Function.NewIn()
	if err := t.Function.DecodeIn(ctx, t.Input, in, t.Local); err != nil {
		return nil, fmt.Errorf("the input of %s: %w", t.Place.URI(), err)
	}
	refs, err := t.Function.InRefs(ctx, in)
	if err == nil && len(refs) > 0 {
		t.Files.Adopt(refs, t.Own)
		err = t.Place.BindSources(t.Files, refs, t.Sources)
	}
	if err != nil {
		return nil, fmt.Errorf("the input of %s: %w", t.Place.URI(), err)
	}
	return in, nil
}

// mostMessage bounds the text kept of an error, in bytes.
const mostMessage = 256 << 10

// described is what is kept of an error, whose methods are the user's.
func (t Task) described(err error) *record.FuncError {
	return &record.FuncError{
		Message: errtree.Text(err, mostMessage), Types: function.TypeChain(err), Registered: t.Function.EncodeError(err),
		Transient: transient(err), Sentinels: errtree.Sentinels(err),
	}
}

// fail records an error or panic of the user's function.
func (t Task) fail(ctx context.Context, err error, ran record.Run) Done {
	failed := t.described(err)
	ran.Outcome = runs.FuncError
	if p, ok := err.(*panicked); ok {
		failed.Panic, failed.Stack = true, p.stack
		ran.Outcome = runs.Panic
	}
	ran.Error = firstLines(failed.Message)
	done := Done{Failed: failed, Run: ran}
	header := t.header(ran)
	body, err := failed.Encode()
	if err == nil {
		done.Sealed, err = record.Seal(record.KindError, record.ErrorHeader{RunHeader: header, Message: ran.Error}, body)
	}
	if err != nil {
		return Done{Err: err, Run: ran}
	}
	if !t.Keep {
		return done
	}
	ctx = t.keeping(ctx, ran)
	if err = t.Place.PutError(ctx, done.Sealed); err == nil {
		err = t.Place.PutRun(ctx, header)
	}
	if err != nil {
		done.Unkept = fmt.Errorf("the error of run %s (%s) could not be stored: %w", t.RunID, ran.Error, err)
	}
	return done
}

// unencodable is the failure of a function that returned something that cannot
// be encoded, unless its context ended meanwhile.
func (t Task) unencodable(ctx context.Context, err error, ran record.Run) Done {
	if ctx.Err() != nil {
		return Done{Err: context.Cause(ctx), Run: ran}
	}
	return t.fail(ctx, fmt.Errorf("the result cannot be encoded: %w", err), ran)
}

// succeed publishes the files of the output, then the output.
func (t Task) succeed(ctx context.Context, running *Running, out any, ran record.Run) Done {
	ran.Outcome = runs.OK
	header := record.ResultHeader{RunHeader: t.header(ran)}
	refs, err := t.Function.OutRefs(ctx, out)
	if err != nil {
		return t.unencodable(ctx, err, ran)
	}
	if len(refs) > 0 {
		locations, err := t.publish(ctx, running, refs)
		if _, ours := errors.AsType[*blob.Error](err); ours {
			return Done{Err: fmt.Errorf("the files that %s returned could not be stored: %w", t.Place.URI(), err), Run: ran}
		}
		if err != nil {
			return t.fail(ctx, fmt.Errorf("the files that it returned: %w", err), ran)
		}
		header.Sources = locations
	}
	body, err := t.Function.EncodeOut(ctx, out)
	if err != nil {
		return t.unencodable(ctx, err, ran)
	}
	sealed, err := record.Seal(record.KindResult, header, body)
	if err != nil {
		return t.fail(ctx, fmt.Errorf("the fields recorded by the function: %w", err), ran)
	}
	opened, err := record.Open(record.KindResult, sealed)
	if err != nil {
		return Done{Err: err, Run: ran}
	}
	done := Done{Result: memo.Found{Record: opened, RunID: t.RunID}, Sealed: sealed, Run: ran}
	if !t.Keep {
		done.Result.Own = refs
		return done
	}
	ctx = t.keeping(ctx, ran)
	durable := ran.WallSeconds >= durableAfter.Seconds()
	other, won, err := t.Place.PutResult(ctx, sealed, t.Replace, durable)
	switch {
	case err != nil:
		done.Unkept = fmt.Errorf("the result of run %s could not be stored: %w", t.RunID, err)
	case !won && other.RunID == t.RunID: // the put succeeded but seemed to fail
		done.Result = other
	case !won:
		done.Result, done.Lost = other, true
		header.Run.Outcome = runs.LostRace
		if err = t.Place.PutRun(blob.Patient(ctx, blob.Patience{}), header.RunHeader); err != nil {
			t.Logger.Warn("a run that came second left no record", "run", t.RunID, "error", err)
		}
	}
	return done
}

// header is what the records of the run say of it.
func (t Task) header(ran record.Run) record.RunHeader {
	return record.RunHeader{Head: t.Function.Head(t.Place.Key, t.RunID), Call: t.Function.Describe(t.Pipeline), Run: ran}
}

func (t Task) publish(ctx context.Context, running *Running, refs []*source.Ref) ([]record.SourceLocation, error) {
	if !t.Keep {
		err := t.Files.Resolve(ctx, refs)
		return memo.WhereTheyAre(refs), err
	}
	locations, err := t.Files.Publish(ctx, t.Place.Store, t.Place.Path, t.RunID, running.madeOutDir(), refs, t.StorageTTL)
	return t.Place.Locations(refs, locations), err
}
