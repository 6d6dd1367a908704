package gc

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

const (
	// settled is how old a result must be for gc to take its lease from a
	// living session: all who waited for the result have read it by then.
	settled = time.Hour

	// startsWithin is how long a worker may take to start that a dead session
	// handed a call to: a Job may wait for days until there is room for it.
	startsWithin = 7 * 24 * time.Hour

	// patience is how long a judge may watch a session of another machine.
	patience = 45 * time.Second

	// believed is how long a session that lived is not looked at again.
	believed = time.Minute
)

// free reports whether a lease may be taken from its holder, and if not, why.
func (r *run) free(ctx context.Context, c *call, state lease.State) (free bool, why Fate, err error) {
	if state.Status != lease.StatusHeld { // or none, or a damaged one
		return true, "", nil
	}
	alive, err := r.anyAlive(ctx, state.Session, state.Orchestrator)
	if err != nil {
		return false, Failed, err
	}
	if !alive {
		if c.result.Key == "" && r.mayStart(c, state) {
			return false, HandedOver, nil
		}
		return true, "", nil
	}
	if c.result.Key == "" || !r.old(c.result.ModTime, settled) {
		return false, Living, nil
	}
	found, err := c.place(r.store).Result(ctx)
	if err != nil {
		return false, Living, ignoreBad(err)
	}
	var header record.ResultHeader
	if err := found.Into(&header); err != nil || header.Run.LeaseID != state.LeaseID {
		return false, Living, nil // it is being computed again
	}
	return true, "", nil
}

// ignoreBad drops errors that programs deal with by themselves.
func ignoreBad(err error) error {
	_, format := errors.AsType[*record.FormatError](err)
	_, foreign := errors.AsType[*record.ForeignError](err)
	if format || foreign || errors.Is(err, record.ErrDamaged) || blob.Is(err, blob.NotFound) {
		return nil
	}
	return err
}

// mayStart reports whether a worker may still come that a dead session started,
// and that has not taken the lease yet.
func (r *run) mayStart(c *call, state lease.State) bool {
	if state.Handle == "" || state.Session != state.Orchestrator || r.old(c.lease.ModTime, startsWithin) {
		return false
	}
	if p, err := process.Parse(state.Handle); err == nil {
		if alive, known := p.Alive(); known {
			return alive
		}
	}
	return true
}

// anyAlive reports whether any of the sessions may live.
func (r *run) anyAlive(ctx context.Context, ids ...string) (bool, error) {
	for i, id := range ids {
		if id == "" || i > 0 && id == ids[0] {
			continue
		}
		if alive, err := r.alive(ctx, id); alive || err != nil {
			return alive, err
		}
	}
	return false, nil
}

// sessions are the sessions looked at: dead for good, or alive at a time.
type sessions struct {
	mu   sync.Mutex
	seen map[string]sighting
}

type sighting struct {
	alive bool
	at    time.Time
}

func (s *sessions) get(id string) (alive, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.seen[id]
	return seen.alive, known && (!seen.alive || time.Since(seen.at) < believed)
}

func (s *sessions) set(id string, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]sighting{}
	}
	s.seen[id] = sighting{alive, time.Now()}
}

// alive reports whether a session may live. One look can show that it does;
// only a judge, who may have to watch it for a while, can tell that it is dead.
func (r *run) alive(ctx context.Context, id string) (bool, error) {
	if alive, known := r.known.get(id); known {
		return alive, nil
	}
	sight, err := lease.Glance(ctx, r.store, id)
	if err != nil {
		return false, err
	}
	alive := true
	for began := time.Now(); sight.Life != lease.Alive && alive && time.Since(began) < patience; {
		dead, recheck, err := r.judge.Dead(ctx, id)
		if _, newer := errors.AsType[*record.FormatError](err); newer {
			break
		}
		if err != nil {
			return false, err
		}
		if alive = !dead; alive {
			if !sleep.For(ctx, recheck) {
				return false, context.Cause(ctx)
			}
		}
	}
	r.known.set(id, alive)
	return alive, nil
}
