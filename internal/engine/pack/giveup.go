package pack

import (
	"context"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

const (
	together = 100 * time.Millisecond // stops that come so soon after one another are one
	stopAll  = 5 * time.Minute        // a cluster takes its time to end many pods
)

// isLeft reports whether nobody waits for a member any more. The caller holds
// packer.mu.
func (g *group) isLeft() bool {
	for m := range g.here() {
		if !m.ended && !m.released {
			return false
		}
	}
	return true
}

// isGivenUp reports whether nobody wants any of the pack. The caller holds
// packer.mu.
func (g *group) isGivenUp() bool {
	for m := range g.here() {
		if !m.ended && !m.stopping {
			return false
		}
	}
	return true
}

// startUnlessGivenUp starts the workers, and gives that up when nobody wants the
// pack any more: a cluster may let a start wait for long.
func (g *group) startUnlessGivenUp(ctx context.Context) (executor.Worker, error) {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	started, watched := make(chan struct{}), make(chan struct{})
	g.packer.Go(func() {
		defer close(watched)
		for {
			select {
			case <-started:
				return
			case <-g.stops:
			}
			g.packer.mu.Lock()
			givenUp := g.isGivenUp()
			g.packer.mu.Unlock()
			if givenUp {
				cancel()
				return
			}
		}
	})
	workers, err := g.start(bounded)
	close(started)
	<-watched
	g.news() // of stops that came meanwhile
	return workers, err
}

// news lets the group see to members that stop or were released.
func (g *group) news() {
	select {
	case g.stops <- struct{}{}:
	default:
	}
}

// stop sees to members that are to stop or were released. It returns true when
// nobody waits for the pack any more.
func (g *group) stop(ctx context.Context, workers executor.Worker) (left bool) {
	timer := time.NewTimer(together)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.over:
		return false
	}
	p := g.packer
	p.mu.Lock()
	numbers := map[*list][]int{}
	var unbegun []*Member
	released := false
	for m := range g.here() {
		released = released || m.released
		if m.stopping && !m.released { // those that have ended, too: the workers are told all of it
			numbers[m.list] = append(numbers[m.list], m.number)
			if !m.ended && !m.begun {
				unbegun = append(unbegun, m)
			}
		}
	}
	isLeft, isGivenUp := g.isLeft(), g.isGivenUp()
	if left = isLeft && released; left {
		p.forget(g) // in one step with that look: who attaches from now on follows the workers anew
	}
	if left || isGivenUp {
		g.open = false
	}
	p.mu.Unlock()
	switch {
	case left:
		workers.Release()
		return true
	case isGivenUp:
		settle, cancel := context.WithTimeout(ctx, stopAll)
		defer cancel()
		if err := workers.Stop(settle); err != nil {
			p.Logger.Warn("the workers of a pack could not be stopped", "pack", g.first.ID, "error", err)
		}
		return false // their end is about to be told
	}
	for l, numbers := range numbers {
		if err := l.pack.GiveUp(ctx, numbers); err != nil {
			p.Logger.Warn("the workers of a pack could not be told that calls were given up", "pack", l.pack.URI(), "error", err)
			return false
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range unbegun {
		if !m.begun {
			m.end(Unrun, m.stopped())
		}
	}
	return false
}
