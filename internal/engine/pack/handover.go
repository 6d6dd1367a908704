package pack

import (
	"context"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// A start costs seconds, and workers that run could as well go on. So a pack is
// handed to a group that is busy for less than the time that was asked for, and one
// that has nothing to begin stays for a while: as long as a start would take. In
// between nothing is asked of the cluster.

// ahead is how many packs a group may have that hold calls that nobody has begun:
// so many that its workers never wait for the next one, and no more, so that what
// comes meanwhile makes larger packs.
const ahead = 2

// takes is the group that a pack of n calls can be handed to; nil if there is none.
// Ready is false if it is to be handed over, but later. The caller holds mu.
func (p *Packer) takes(n int, now time.Time) (to *group, ready bool) {
	if _, known := p.each(now); !known {
		return nil, false
	}
	perWorker, _ := p.plan(now)
	for g := range p.groups {
		if g.open && !g.handing && g.given+n <= perWorker*g.workers && (to == nil || g.waits() < to.waits()) {
			to = g
		}
	}
	return to, to != nil && (to.waits() < ahead || n >= mostCalls)
}

// waits is how many packs of the group have calls that nobody has begun. The caller
// holds packer.mu.
func (g *group) waits() (n int) {
	for _, l := range g.lists {
		if l.unbegun > 0 {
			n++
		}
	}
	return n
}

// hand gives the pack that is being put together to a group. The caller holds mu.
func (p *Packer) hand(f *forming, g *group) {
	p.forming = nil
	g.handing = true
	l := g.add(f)
	number := len(g.lists) - 1
	p.Go(func() {
		taken, err := g.handOver(l, number)
		p.mu.Lock()
		defer p.mu.Unlock()
		g.handing = false
		for m := range l.here() {
			switch {
			case err != nil:
				m.end(Failed, executor.Exit{Code: -1, Err: asFailure(err)})
			case !taken && m.stopping:
				m.end(Unrun, m.stopped())
			case !taken:
				m.end(Again, executor.Exit{})
			}
		}
		if !taken {
			g.open = false
		}
		p.look()
	})
}

// handOver writes the list and tells the workers. It reports whether they were
// there to hear it: workers that heard nothing for long end.
func (g *group) handOver(l *list, number int) (taken bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), handTime)
	defer cancel()
	if err := l.put(ctx, packs.Shape{Workers: g.workers, First: g.first.ID, Handle: g.handle}); err != nil {
		return false, err
	}
	g.packer.Logger.Debug("a pack of calls is handed over", "function", g.packer.Function, "pack", l.pack.ID, "to", g.first.ID, "calls", len(l.members))
	err = g.first.PutNext(ctx, number, l.pack.ID)
	if blob.Is(err, blob.Exists) {
		var next string
		next, _, err = g.first.Next(ctx, number)
		return next == l.pack.ID, err
	}
	return err == nil, err
}

// handTime bounds how long handing over takes. The store's own patience is shorter.
const handTime = 10 * time.Minute

// dismiss ends groups that have nothing to begin and get nothing more. It says when
// to look again. The caller holds mu.
func (p *Packer) dismiss(now time.Time) (again time.Duration) {
	again = time.Minute
	_, known := p.each(now)
	perWorker, _ := p.plan(now)
	for g := range p.groups {
		switch {
		case !g.open || g.handing:
			continue
		case g.waits() > 0 || !known && g.live():
			g.idle = time.Time{}
			continue
		case g.idle.IsZero():
			g.idle = now
		}
		useful := known && g.given < perWorker*g.workers && !p.drained
		if left := g.idle.Add(worth).Sub(now); left > 0 && useful {
			again = min(again, left)
			continue
		}
		g.open = false
		number := len(g.lists)
		p.Go(func() { g.dismiss(number) })
	}
	return again
}

// dismiss tells the workers to end when they have begun all that they were given,
// the last of it under a number before this one or a later one.
func (g *group) dismiss(number int) {
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	err := g.first.PutNext(ctx, number, "")
	for ; blob.Is(err, blob.Exists); number++ {
		err = g.first.PutNext(ctx, number+1, "")
	}
	if err != nil {
		g.packer.Logger.Debug("workers were not told to end; they will, by themselves", "pack", g.first.URI(), "error", err)
	}
}

// Drain says that no more calls come: groups end when they have nothing to begin.
func (p *Packer) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = true
	p.look()
}
