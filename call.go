package mops

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Outcome is how a call came to its end.
type Outcome = event.Outcome

const (
	Hit       = event.Hit       // the result was there
	Computed  = event.Computed  // this call computed it
	Awaited   = event.Awaited   // somebody else computed it, and this call waited
	Failed    = event.Failed    // it failed; in events only
	Cancelled = event.Cancelled // nobody wanted it any more; in events only
)

// Info is what is known of a call apart from its result.
type Info struct {
	URI     string  // memo URI: the folder of its records
	Outcome Outcome // "" for a call that failed
	Run     string  // id of the run that made the result; "" for a call that failed

	header string // of the record of the result
}

// String is URI, outcome and run in a line.
func (i Info) String() string {
	return fmt.Sprintf("%s: %s, run %s", i.URI, cmp.Or(i.Outcome, "no result"), i.Run)
}

// Made tells how the result was computed: for a hit, by the run that computed it,
// long ago perhaps, and elsewhere. It is zero for a call that failed. Records of the
// first release, and results that somebody injected, know less.
func (i Info) Made() Made {
	var header record.ResultHeader
	if (record.Record{Header: []byte(i.header)}).Into(&header) != nil {
		return Made{}
	}
	run := header.Run
	took := run.Figures()
	return Made{
		Started: run.Started, Wall: took.Wall, CPU: took.CPU, PeakMemory: run.PeakMemory,
		Host: run.Host, User: run.User, Executor: run.Executor, OS: run.OS, Arch: run.Arch,
		Program: run.Program.Path, Version: run.Program.Version, Revision: run.Program.Revision, Modified: run.Program.Dirty, Go: run.Program.Go,
		Injected: header.Injected,
	}
}

// Made is when, where, by which build and at what cost a result was computed. What is
// not known is zero.
type Made struct {
	Started    time.Time     // by the clock of Host
	Wall, CPU  time.Duration // CPU is that of all cores, user and system
	PeakMemory int64         // bytes

	Host, User, Executor string
	OS, Arch             string // as runtime.GOOS and GOARCH have them

	Program  string // path of the main package
	Version  string // of its module; "(devel)" outside of releases
	Revision string // of the version control system
	Modified bool   // built from sources that differ from Revision
	Go       string // version of the toolchain

	Injected bool // nothing computed it: see [Func.Inject]
}

// Call returns the function's result for in: from the store if it is there,
// else computed. It fails with a *[FuncError] if the function failed, an
// *[ExecError] if its worker did, and an error that wraps a *blob.Error if the
// store did; errors.Is finds the variables of this package, such as
// [ErrNoResult].
//
// If ctx ends first, Call returns an error that wraps context.Cause(ctx). mops
// then stops the run of this call, unless somebody else waits for it, too.
func (f *Func[In, Out]) Call(ctx context.Context, in In) (Out, error) {
	return f.do(ctx, in, orchestrate.LeaveAtOnce, nil)
}

// Do is [Func.Call], and also tells how the call came to its result.
func (f *Func[In, Out]) Do(ctx context.Context, in In) (Out, Info, error) {
	var info Info
	out, err := f.do(ctx, in, orchestrate.LeaveAtOnce, &info)
	return out, info, err
}

// do makes a call, and fills in what is known of it unless nobody asks.
func (f *Func[In, Out]) do(ctx context.Context, in In, leave orchestrate.Leave, info *Info) (out Out, err error) {
	env, c, err := f.prepare(ctx, &in)
	if err != nil {
		return out, err
	}
	c.Room = rooms.Get().(*[]byte)
	defer giveBack(c.Room)
	outcome, err := env.engine.Do(ctx, c, leave)
	if err != nil && outcome.Place.Path == "" {
		outcome.Place = env.engine.Place(c)
	}
	if out, err = f.finish(ctx, env, outcome, err); info != nil {
		*info = infoOf(outcome)
	}
	return out, err
}

// rooms are for the results of hits, of which values and Info are copies.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

const mostRoom = 64 << 10 // bytes; a large result costs more than memory for it

func giveBack(room *[]byte) {
	if cap(*room) > mostRoom {
		*room = nil
	}
	rooms.Put(room)
}

// Start begins a call and returns at once. The call is cancelled when ctx ends.
// An error means that no call was started.
func (f *Func[In, Out]) Start(ctx context.Context, in In) (*Call[Out], error) {
	env, c, err := f.prepare(ctx, &in)
	if err != nil {
		return nil, err
	}
	handle, err := env.engine.Start(ctx, c)
	if err != nil {
		return nil, public(f.function.Name, env.engine.Place(c).URI(), err)
	}
	return &Call[Out]{
		handle: handle,
		finish: func(ctx context.Context, outcome orchestrate.Outcome, err error) (Out, error) {
			return f.finish(ctx, env, outcome, err)
		},
	}, nil
}

// Call is a call that was started. It is safe for concurrent use.
type Call[Out any] struct {
	handle *orchestrate.Handle
	finish func(context.Context, orchestrate.Outcome, error) (Out, error)
}

// URI is the memo URI: the folder of the call's records.
func (c *Call[Out]) URI() string { return c.handle.URI() }

// Done is closed when the call has ended. A function that waits for it keeps its slot,
// in which the call may want to run; one that waits with Wait gives it back meanwhile.
func (c *Call[Out]) Done() <-chan struct{} { return c.handle.Done() }

// Cancel gives the call up. mops stops its run, unless somebody else waits for
// it, too; Done is closed when the run has stopped or, if others wait, when it
// has ended. A call that has ended keeps its result.
func (c *Call[Out]) Cancel() { c.handle.Cancel(context.Canceled) }

// Wait returns the result when the call has ended, as often as it is asked; see
// [Func.Call] for its errors. If ctx ends first, Wait returns an error that
// wraps context.Cause(ctx), and the call goes on.
func (c *Call[Out]) Wait(ctx context.Context) (Out, error) {
	outcome, err := c.handle.Wait(ctx)
	return c.finish(ctx, outcome, err)
}

// Info is what is known of the call so far: the outcome only once it has ended.
func (c *Call[Out]) Info() Info {
	if !c.handle.Ended() {
		return Info{URI: c.URI()}
	}
	return infoOf(c.handle.Outcome())
}

// prepare encodes the input and settles how to make the call.
func (f *Func[In, Out]) prepare(ctx context.Context, in *In) (*Env, orchestrate.Call, error) {
	env := envOf(ctx)
	if env == nil {
		return nil, orchestrate.Call{}, fmt.Errorf("%s: %w", f.function.Name, ErrNoEnvironment)
	}
	settings, err := env.resolve(ctx, f.function, f.defined, f.with, &f.settled)
	if err != nil {
		return nil, orchestrate.Call{}, fmt.Errorf("%s: %w", f.function.Name, err)
	}
	if err := f.function.Prepare(); err != nil {
		return nil, orchestrate.Call{}, fmt.Errorf("mops: %w", err)
	}
	if !settings.Off && !settings.ReadOnly {
		env.journal.In(settings.Root)
	}
	c := orchestrate.Call{Function: f.function, Settings: settings}
	if c.Sources, err = f.function.InRefs(ctx, in); err != nil {
		return nil, c, fmt.Errorf("%s: its input cannot be encoded: %w", f.function.Name, err)
	}
	if len(c.Sources) > 0 {
		if err := env.files.Resolve(ctx, c.Sources); err != nil {
			return nil, c, fmt.Errorf("%s: its input: %w", f.function.Name, err)
		}
	}
	if f.function.In().HandsOver() {
		c.Local = in
	}
	if c.Input, err = f.function.EncodeIn(ctx, in); err != nil {
		return nil, c, fmt.Errorf("%s: its input cannot be encoded: %w", f.function.Name, err)
	}
	return env, c, nil
}

func (f *Func[In, Out]) finish(ctx context.Context, env *Env, outcome orchestrate.Outcome, failed error) (out Out, err error) {
	if failed != nil {
		return out, public(f.function.Name, outcome.Place.URI(), failed)
	}
	if err := f.function.DecodeOut(ctx, outcome.Result.Body, &out); err != nil {
		var zero Out
		if ctx.Err() != nil {
			return zero, fmt.Errorf("%s: %w", f.function.Name, context.Cause(ctx))
		}
		return zero, fmt.Errorf("%s: the result at %s is intact, but cannot be decoded (was the type changed in a way that its fingerprint does not show? then change the function's Version): %w", f.function.Name, outcome.Place.URI(), err)
	}
	refs, err := f.function.OutRefs(ctx, &out)
	if err == nil && len(refs) > 0 {
		err = outcome.Result.BindResult(outcome.Place, env.files, refs)
	}
	if err != nil {
		var zero Out
		return zero, fmt.Errorf("%s: the result at %s: %w", f.function.Name, outcome.Place.URI(), err)
	}
	return out, nil
}

// infoOf is the part of an outcome that users see.
func infoOf(outcome orchestrate.Outcome) Info {
	if outcome.Place.Path == "" {
		return Info{} // the call was never made
	}
	return Info{URI: outcome.Place.URI(), Outcome: outcome.How, Run: outcome.Result.RunID, header: string(outcome.Result.Header)}
}
