package orchestrate

import (
	"context"
	"errors"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/engine/pack"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Calls in packs.
//
// To a flight, a pack is another kind of worker: it takes its lease, puts its
// invocation, joins the pack that is being put together, and waits. What is new
// is how that may end. A call that kills its worker, or whose worker dies beside
// it, is run again by itself, once, whatever retries it has: then it fails alone
// or not at all. A call that nobody began goes into another pack.

// packed is how a call fares in packs.
type packed struct {
	alone bool // it is to have a worker of its own from now on
	unrun int  // how often its pack ended before it was begun
	next  bool // the present failure is the pack's, and no retry of the caller's
	free  int  // how many there were of these, and of those that the executor tries again by itself
}

// mostUnrun is how often a call goes into another pack because the last one
// ended before it was begun.
const mostUnrun = 5

// again reports whether the failure of a run is the pack's.
func (p *packed) again(err error) bool {
	again := p.next && err != nil
	p.next = false
	if again {
		p.free++
	}
	return again
}

// packerKey tells apart calls that cannot be in one pack.
type packerKey struct {
	root     *root
	executor string // its name
	kind     string // of its workers
	function string // name@version
	pipeline string

	programRun string
}

// packer puts calls like this one into packs; nil if its executor makes none.
func (f *flight) packer() *pack.Packer {
	packing := ability.Packing(f.call.Executor)
	if packing.Work <= 0 || f.root == nil || f.call.Off || f.call.ReadOnly {
		return nil
	}
	return f.packerFor(packing)
}

// packerFor is the one for all calls of this function on such executors.
func (f *flight) packerFor(packing executor.Packing) *pack.Packer {
	e, at := f.engine, f.call.Executor
	key := packerKey{f.root, at.Name(), packing.Kind, f.call.Function.ID(), f.call.Pipeline, e.programRun(f.ctx)}
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.packers[key]
	if !ok {
		p = pack.New(pack.Config{
			Executor: at, Packing: packing, Store: f.root.store, Function: f.call.Function.ID(), Pipeline: f.call.Pipeline,
			ProgramRun: key.programRun, Logger: e.Logger, Go: func(do func()) { e.owned.Go(do) },
			History: f.history,
			Env: func(_ context.Context, p packs.Pack, side int) ([]string, error) {
				spec := worker.Spec{
					Root: ability.RootFor(at, f.root.store.Address()), Function: f.call.Function.Name,
					Supervised: true, Pack: &worker.Pack{ID: p.ID, Side: side},
				}
				text, err := spec.Encode()
				return []string{worker.Variable + "=" + text}, err
			},
		})
		e.packers[key] = p
	}
	return p
}

func (c *computing) packer() *pack.Packer {
	if c.held == nil {
		return nil
	}
	return c.f.packer()
}

func (c *computing) isPacked() bool { return !c.packed.alone && c.packer() != nil }

// firstHandle is the handle of a call's first worker, as far as it is known
// beforehand.
func (f *flight) firstHandle(id runs.ID) string {
	if p := f.packer(); p != nil {
		return p.Handle()
	}
	return f.handle(id)
}

// nextHandle is that of the next worker.
func (c *computing) nextHandle() string {
	if c.isPacked() {
		return c.packer().Handle()
	}
	return c.f.handle(c.ID)
}

// inPack runs the call in a pack.
func (c *computing) inPack(ctx context.Context, clock *limit, p *pack.Packer) (Outcome, error) {
	m, err := c.join(ctx, clock, p)
	if err != nil {
		return Outcome{}, err
	}
	defer c.f.tellWaits()() // see circleWatch
	exit, err := m.Wait(ctx)
	if err != nil {
		return Outcome{}, c.stop(ctx, m)
	}
	if m.Printed() {
		c.f.showLog(ctx, c.RunID)
	}
	switch m.Fate() {
	case pack.Single:
		outcome, err := c.single(ctx, clock)
		p.SingleEnded(m, wallOf(outcome, err))
		return outcome, err
	case pack.Again:
		return c.inPack(ctx, clock, p)
	case pack.Unrun:
		clock.tell(executor.Queued)
		c.packed.unrun++
		c.unbegun = true
		c.packed.next, c.packed.alone = true, c.packed.unrun > mostUnrun
		return Outcome{}, exit.Err
	}
	if m.Fate() == pack.Lost && exit.Code == executor.ExitLost { // a worker that died had begun it
		exit = executor.Exit{Code: -1, Err: &executor.Error{Reason: executor.WorkerLost,
			Message: "the worker that had begun run " + c.RunID + ", beside other calls, ended meanwhile"}}
	}
	outcome, err := c.outcomeElsewhere(exit)
	if e, ok := errors.AsType[*executor.Error](err); ok && m.Fate() != pack.Failed && mayRetry(err) && e.Reason != executor.DeadlineExceeded {
		clock.tell(executor.Queued)
		c.packed.next, c.packed.alone = true, true
	}
	return outcome, err
}

// single runs a call in a worker of its own that was alone in its pack.
func (c *computing) single(ctx context.Context, clock *limit) (Outcome, error) {
	c.packed.alone = true
	if err := c.renamed(ctx, c.f.handle(c.ID)); err != nil {
		return Outcome{}, err
	}
	return c.byItself(ctx, clock)
}

// wallOf is how long the function took; 0 if it failed, or another run was faster.
func wallOf(outcome Outcome, err error) time.Duration {
	var header record.ResultHeader
	if err != nil || outcome.How != Computed || outcome.Result.Into(&header) != nil {
		return 0
	}
	return time.Duration(header.Run.WallSeconds * float64(time.Second))
}

// join puts the call into the pack that is being put together.
func (c *computing) join(ctx context.Context, clock *limit, p *pack.Packer) (*pack.Member, error) {
	for {
		handle := p.Handle()
		if err := c.renamed(ctx, handle); err != nil {
			return nil, err
		}
		spec, err := c.spec(ctx)
		if err != nil {
			return nil, err
		}
		inv := c.f.invocation(c.ID)
		inv.Env = []string{worker.Variable + "=" + spec}
		c.f.tellOf(&inv, clock.tell)
		inv.Tell(executor.Queued)
		m, err := p.Join(inv, handle)
		if !errors.Is(err, pack.ErrLaunched) {
			return m, err
		}
	}
}

// renamed writes the handle of the run's worker into the lease, if it is not the
// one that stands there.
func (c *computing) renamed(ctx context.Context, handle string) error {
	if handle == c.handle {
		return nil
	}
	c.handle = handle
	c.tellWorker(handle)
	return c.held.Update(ctx, func(s *lease.State) { s.Handle = handle })
}

// attach finds a worker by the handle in its lease.
func (f *flight) attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	if _, _, ok := pack.SplitHandle(handle); !ok {
		return f.call.Executor.Attach(ctx, inv, handle)
	}
	// The program that put it there packed its calls; this one need not.
	return f.packerFor(ability.Packing(f.call.Executor)).Attach(ctx, inv, handle)
}

// showTime bounds how long the log of a call is read for people.
const showTime = 10 * time.Second

// showLog shows what a run has printed, from the log that its worker kept.
func (f *flight) showLog(ctx context.Context, runID string) {
	if f.engine.Output == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, showTime)
	defer cancel()
	to := f.engine.Output(f.call.Function.Name, f.place.URI())
	defer to.Close()
	if _, err := runlog.Copy(ctx, to, f.root.store, f.place.Log(runID), 1); err != nil {
		f.engine.Logger.Debug("what a call printed cannot be shown", "call", f.place.URI(), "run", runID, "error", err)
	}
}
