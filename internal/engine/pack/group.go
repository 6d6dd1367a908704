package pack

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// group is a pack that was started, with the workers that share it.
type group struct {
	packer  *Packer
	pack    packs.Pack
	workers int
	stops   chan struct{} // has a token when members stop or were released
	over    chan struct{} // closed when the workers have ended

	stage atomic.Pointer[executor.Stage]
	sign  atomic.Int64 // when a worker last gave a sign of life, in Unix nanoseconds; 0 for never

	pages []int // the last page that was read of each worker's ledger

	numbers map[executor.ID]int // of a pack that another process started: which call is which

	// Under packer.mu:
	members []*Member             // by number; nil where nobody here waits for the call
	began   map[*Member]time.Time // those that run
	live    int                   // how many of those have not ended, of a pack of our own
	any     bool                  // one was begun
	settled bool
	said    []packs.Entry // what ledgers said of calls that nobody waits for yet; nil for a pack of our own
}

const (
	readLocal  = 200 * time.Millisecond // how often ledgers are read where that costs little
	readRemote = 500 * time.Millisecond
	readEach   = 10 * time.Millisecond // at least so long for each worker

	// deadAfter is after how long without a sign of life a worker may be dead.
	deadAfter = 3 * lifeEvery

	// askPerTurn bounds how many calls are looked at because they run for long.
	askPerTurn = 20
)

// longest is how long the call has run that runs longest. The caller holds
// packer.mu.
func (g *group) longest(now time.Time) (d time.Duration) {
	for _, since := range g.began {
		d = max(d, now.Sub(since))
	}
	return d
}

// here are the members that somebody in this process waits for, or did. The
// caller holds packer.mu.
func (g *group) here() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		for _, m := range g.members {
			if m != nil && !yield(m) {
				return
			}
		}
	}
}

// run sees the pack from its start to its end.
func (g *group) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer g.packer.leave(g)
	workers, err := g.startUnlessGivenUp(ctx)
	if err != nil {
		g.endAll(Failed, executor.Exit{Code: -1, Err: asFailure(err)})
		g.remove()
		return
	}
	g.follow(ctx, workers)
}

// start writes the list and starts the workers.
func (g *group) start(ctx context.Context) (executor.Worker, error) {
	p := g.packer
	calls := make([]packs.Call, len(g.members))
	for i, m := range g.members {
		calls[i] = m.call
	}
	if err := g.pack.PutList(ctx, calls, g.workers); err != nil {
		return nil, fmt.Errorf("the list of %d calls of %s could not be written: %w", len(calls), p.Function, err)
	}
	inv := p.invocation(g.pack)
	var err error
	if inv.Env, err = p.Env(ctx, g.pack, p.Packing.Side); err != nil {
		return nil, err
	}
	inv.Workers, inv.Tell, inv.Explain, inv.Lives = g.workers, g.tell, g.explain, g.lives
	p.Logger.Debug("a pack of calls is started", "function", p.Function, "pack", g.pack.ID, "calls", len(calls), "workers", g.workers)
	return p.Executor.Start(ctx, inv)
}

// tell hands on how far the workers are to those that wait for them.
func (g *group) tell(stage executor.Stage) {
	reached := stage
	g.stage.Store(&reached)
	if stage == executor.Running {
		g.sign.CompareAndSwap(0, time.Now().UnixNano())
		stage = executor.Queued // until it is the call's turn
	}
	for _, m := range g.waiting() {
		m.tell(stage)
	}
}

// explain hands on why the workers are queued.
func (g *group) explain(why string) {
	for _, m := range g.waiting() {
		if m.inv.Explain != nil {
			m.inv.Explain(why)
		}
	}
}

// waiting are the members that nobody has begun.
func (g *group) waiting() (all []*Member) {
	g.packer.mu.Lock()
	defer g.packer.mu.Unlock()
	for m := range g.here() {
		if !m.begun && !m.ended {
			all = append(all, m)
		}
	}
	return all
}

func (m *Member) tell(stage executor.Stage) {
	if m.inv.Tell != nil {
		m.inv.Tell(stage)
	}
}

// lives reports whether a worker gave a sign of life lately.
func (g *group) lives(context.Context) (bool, error) {
	return time.Since(time.Unix(0, g.sign.Load())) < deadAfter, nil
}

// follow reads the ledgers until the workers have ended, and sees to members that
// stop.
func (g *group) follow(ctx context.Context, workers executor.Worker) {
	type ended struct {
		exit executor.Exit
		err  error
	}
	end := make(chan ended, 1)
	g.packer.Go(func() {
		exit, err := workers.Wait(ctx)
		close(g.over)
		end <- ended{exit, err}
	})
	every := readRemote
	if g.pack.Store.IsLocal() {
		every = readLocal
	}
	ticker := time.NewTicker(max(every, time.Duration(g.workers)*readEach))
	defer ticker.Stop()
	looked := time.Now()
	for {
		select {
		case <-ticker.C:
			g.read(ctx)
			if time.Since(looked) > deadAfter/2 {
				looked = time.Now()
				g.lookForDead(ctx)
			}
		case <-g.stops:
			if left := g.stop(ctx, workers); left {
				return
			}
		case e := <-end:
			g.read(ctx)
			if e.err != nil { // nobody can know
				e.exit = executor.Exit{Code: -1, Err: asFailure(e.err)}
			}
			g.settle(e.exit)
			g.remove()
			return
		}
	}
}

// read reads on in the ledgers.
func (g *group) read(ctx context.Context) {
	if stage := g.stage.Load(); stage != nil && *stage != executor.Running && g.sign.Load() == 0 {
		return // nobody can have written anything
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for worker := range g.pages {
		group.Go(func() error {
			for {
				entries, found, err := g.pack.Page(ctx, worker, g.pages[worker]+1)
				if err != nil || !found {
					return err
				}
				g.pages[worker]++
				g.sign.Store(time.Now().UnixNano())
				g.apply(entries)
			}
		})
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		g.packer.Logger.Warn("what became of the calls of a pack cannot be read", "pack", g.pack.URI(), "error", err)
	}
}

// apply takes in what a ledger says.
func (g *group) apply(entries []packs.Entry) {
	now := time.Now()
	for _, e := range entries {
		p := g.packer
		p.mu.Lock()
		var m *Member
		begins := false
		if e.Call >= 0 && e.Call < len(g.members) {
			if m = g.members[e.Call]; m != nil {
				begins = g.applyTo(m, e, now)
			} else if g.said != nil {
				g.said[e.Call] = packs.Entry{Call: e.Call, Began: e.Began || g.said[e.Call].Began, Ended: e.Ended}
			}
		}
		p.mu.Unlock()
		if begins {
			m.tell(executor.Running)
		} else if e.Ended != nil && e.Ended.Code == executor.ExitOK {
			p.learn(seconds(e.Ended.WallSeconds))
		}
	}
	g.packer.look()
}

// applyTo takes in what a ledger says of a member, and reports whether it begins.
// The caller holds packer.mu.
func (g *group) applyTo(m *Member, e packs.Entry, now time.Time) (begins bool) {
	if begins = e.Began && !m.begun; begins {
		m.begun, g.any = true, true
		g.began[m] = now
	}
	switch {
	case e.Ended == nil:
	case e.Ended.Code == executor.ExitLost:
		// Another worker of the group was faster, and says what became of the call. If
		// nobody does, it is lost when the pack ends.
		m.code = executor.ExitLost
	default:
		delete(g.began, m)
		m.printed = e.Ended.Printed
		exit := exitOf(e.Ended)
		if exit.Err != nil && m.stopping {
			exit.Err.Err = context.Canceled
		}
		m.end(Ran, exit)
	}
	return begins
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// lookForDead finds calls that have run for long and whose worker gives no sign
// of life: it died in a way that nobody saw.
func (g *group) lookForDead(ctx context.Context) {
	now, asked := time.Now(), 0
	g.packer.mu.Lock()
	var old []*Member
	for m, since := range g.began {
		if now.Sub(since) > deadAfter && asked < askPerTurn && !m.ended && m.inv.Lives != nil {
			old, asked = append(old, m), asked+1
		}
	}
	g.packer.mu.Unlock()
	for _, m := range old {
		if lives, err := m.inv.Lives(ctx); lives || err != nil {
			continue
		}
		g.packer.mu.Lock()
		delete(g.began, m)
		m.end(Lost, m.lostExit(executor.Exit{}))
		g.packer.mu.Unlock()
	}
}

// settle ends the members of which no ledger said how they ended.
func (g *group) settle(exit executor.Exit) {
	p := g.packer
	p.mu.Lock()
	defer p.mu.Unlock()
	g.settled = true
	unrun := executor.Exit{Code: -1, Err: exit.Err}
	for m := range g.here() {
		switch {
		case m.stopping:
			m.end(Unrun, m.stopped())
		case exit.Err == nil || m.begun:
			m.end(Lost, m.lostExit(exit))
		case !g.any:
			m.end(Failed, unrun)
		default:
			m.end(Unrun, unrun)
		}
	}
	clear(g.began)
}

func (g *group) endAll(fate Fate, exit executor.Exit) {
	g.packer.mu.Lock()
	defer g.packer.mu.Unlock()
	for m := range g.here() {
		m.end(fate, exit)
	}
}

// removeTime bounds how long a pack that has ended is cleared away.
const removeTime = time.Minute

// remove clears the pack away; gc finds what is left.
func (g *group) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	if err := g.pack.Remove(ctx); err != nil && !errors.Is(err, context.Canceled) {
		g.packer.Logger.Debug("a pack was not cleared away", "pack", g.pack.URI(), "error", err)
	}
}
