package pack

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// group is workers that were started, with the packs that they share, one after
// another.
type group struct {
	packer  *Packer
	first   packs.Pack // names the workers; what they come to next stands there
	handle  string     // of the executor
	workers int
	stops   chan struct{} // has a token when members stop or were released
	over    chan struct{} // closed when the workers have ended

	stage atomic.Pointer[executor.Stage]
	sign  atomic.Int64 // when a worker last gave a sign of life, in Unix nanoseconds; 0 for never

	// Under packer.mu:
	lists   []*list
	any     bool // a call was begun
	settled bool

	// Of a group of our own: whether it takes further packs, see handover.go.
	open    bool
	handing bool      // one is being handed over
	given   int       // how many calls it got
	idle    time.Time // since when all of them have begun; zero: they have not
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

func (p *Packer) newGroup(first packs.Pack, handle string, workers int) *group {
	return &group{packer: p, first: first, handle: handle, workers: workers, stops: make(chan struct{}, 1), over: make(chan struct{})}
}

// longest is how long the call has run that runs longest. The caller holds
// packer.mu.
func (g *group) longest(now time.Time) (d time.Duration) {
	for _, l := range g.lists {
		for _, since := range l.began {
			d = max(d, now.Sub(since))
		}
	}
	return d
}

// here are the members that somebody in this process waits for, or did. The
// caller holds packer.mu.
func (g *group) here() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		for _, l := range g.lists {
			for m := range l.here() {
				if !yield(m) {
					return
				}
			}
		}
	}
}

// live reports whether a member has not ended. The caller holds packer.mu.
func (g *group) live() bool {
	for _, l := range g.lists {
		if l.live > 0 {
			return true
		}
	}
	return false
}

// run sees the group from its start to its end.
func (g *group) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer g.packer.leave(g)
	workers, err := g.startUnlessGivenUp(ctx)
	if err != nil {
		g.packer.mu.Lock()
		g.settled, g.open = true, false
		for m := range g.here() {
			m.end(Failed, executor.Exit{Code: -1, Err: asFailure(err)})
		}
		g.packer.mu.Unlock()
		g.remove()
		return
	}
	g.follow(ctx, workers)
}

// start writes the first list and starts the workers.
func (g *group) start(ctx context.Context) (executor.Worker, error) {
	p := g.packer
	first := g.lists[0]
	if err := first.put(ctx, packs.Shape{Workers: g.workers}); err != nil {
		return nil, err
	}
	inv := g.invocation()
	var err error
	if inv.Env, err = p.Env(ctx, g.first, p.Packing.Side); err != nil {
		return nil, err
	}
	p.Logger.Debug("a pack of calls is started", "function", p.Function, "pack", g.first.ID, "calls", len(first.members), "workers", g.workers)
	return p.Executor.Start(ctx, inv)
}

// invocation is the group as its executor sees it.
func (g *group) invocation() executor.Invocation {
	inv := g.packer.invocation(g.first)
	inv.Workers, inv.Tell, inv.Explain, inv.Lives = g.workers, g.tell, g.explain, g.lives
	return inv
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
	if g.first.Store.IsLocal() {
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
	g.packer.mu.Lock()
	var open []*list
	for i, l := range g.lists {
		switch {
		case l.live > 0 || l.said != nil:
			open = append(open, l)
		case !g.handing || i < len(g.lists)-1:
			l.members = nil // workers may go on for long
		}
	}
	g.packer.mu.Unlock()
	for _, l := range open {
		if err := l.read(ctx); err != nil && ctx.Err() == nil {
			g.packer.Logger.Warn("what became of the calls of a pack cannot be read", "pack", l.pack.URI(), "error", err)
		}
	}
}

// lookForDead finds calls that have run for long and whose worker gives no sign
// of life: it died in a way that nobody saw.
func (g *group) lookForDead(ctx context.Context) {
	now := time.Now()
	g.packer.mu.Lock()
	var old []*Member
	for m := range g.here() {
		if since, runs := m.list.began[m]; runs && now.Sub(since) > deadAfter && len(old) < askPerTurn && !m.ended && m.inv.Lives != nil {
			old = append(old, m)
		}
	}
	g.packer.mu.Unlock()
	for _, m := range old {
		if lives, err := m.inv.Lives(ctx); lives || err != nil {
			continue
		}
		g.packer.mu.Lock()
		delete(m.list.began, m)
		m.end(Lost, m.lostExit(executor.Exit{}))
		g.packer.mu.Unlock()
	}
}

// settle ends the members of which no ledger said how they ended.
func (g *group) settle(exit executor.Exit) {
	p := g.packer
	p.mu.Lock()
	defer p.mu.Unlock()
	g.settled, g.open = true, false
	unrun := executor.Exit{Code: -1, Err: exit.Err}
	for m := range g.here() {
		switch {
		case m.stopping:
			m.end(Unrun, m.stopped())
		case m.begun || exit.Err == nil && m.list == g.lists[0]:
			m.end(Lost, m.lostExit(exit))
		case exit.Err == nil: // they did not come to it
			m.end(Unrun, m.lostExit(exit))
		case !g.any:
			m.end(Failed, unrun)
		default:
			m.end(Unrun, unrun)
		}
	}
	for _, l := range g.lists {
		clear(l.began)
	}
}

// removeTime bounds how long packs that have ended are cleared away.
const removeTime = time.Minute

// remove clears the packs away; gc finds what is left.
func (g *group) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	g.packer.mu.Lock()
	all := []packs.Pack{g.first}
	for _, l := range g.lists {
		if l.pack != g.first {
			all = append(all, l.pack)
		}
	}
	g.packer.mu.Unlock()
	for _, pack := range all {
		if err := pack.Remove(ctx); err != nil && !errors.Is(err, context.Canceled) {
			g.packer.Logger.Debug("a pack was not cleared away", "pack", pack.URI(), "error", err)
		}
	}
}
