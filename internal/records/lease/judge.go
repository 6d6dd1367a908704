package lease

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

const (
	// briefly is the least time between two readings of one session, and
	// between two looks at one process.
	briefly = 500 * time.Millisecond

	// longest is the most time between two readings, so that the judge soon
	// sees an end that the owner declared.
	longest = 5 * time.Second

	// slack covers stores that tell the time in whole seconds, as HTTP dates do.
	slack = time.Second

	// A session that nobody asked about for forgetAfter is forgotten once more
	// than mostWatched are known.
	forgetAfter = 10 * time.Minute
	mostWatched = 4096
)

// JudgeConfig is how a judge sees the world. The zero value is good.
type JudgeConfig struct {
	// Alive looks at a process by the identity that a session names; known is
	// false if it cannot see the process. Nil looks at this host.
	Alive func(identity string) (alive, known bool)

	// Name signs a death; "" means this process.
	Name string

	Log *slog.Logger // may be nil
}

// Judge finds out whether other sessions live.
//
// The problem: a lease belongs to a session, and another process may take it
// once that session is dead. But a process cannot see whether one on another
// machine died, or is only slow, or cut off from the store. And machines'
// clocks differ, so a date alone proves nothing.
//
// The idea: a living session renews its blob every few seconds, so the judge
// watches whether the blob changes, by its own clock. If it stays the same for
// the whole TTL that the session promised, the session is dead. The judge then
// writes the death into the session's blob, by compare-and-swap.
//
// Why it is right: the swap settles every race. If the owner renewed meanwhile,
// the swap fails and the session lives on. If the swap succeeds, the owner's
// next renewal fails, and it learns that its leases are lost. So a death is one
// decision, the same for all leases of the session and for everybody who looks.
// A judgement that was too harsh only costs work that is done again, because
// results are written once.
//
// A judge remembers what it saw, because one look cannot show that a blob does
// not change: use one judge for each process and store. It is safe for
// concurrent use; many questions about one session cost no more than one.
type Judge struct {
	store  *blob.Store
	config JudgeConfig
	clock  storeClock

	mu      sync.Mutex
	watched map[string]*watch
	sweepAt int // number of watched sessions at which to forget some
}

// NewJudge makes a judge of the sessions in a store. It does no I/O.
func NewJudge(store *blob.Store, config JudgeConfig) *Judge {
	if config.Alive == nil {
		config.Alive = aliveHere
	}
	if config.Name == "" {
		config.Name = process.Self().String()
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Judge{
		store: store, config: config, clock: storeClock{store: store, busy: newGate()},
		watched: make(map[string]*watch), sweepAt: mostWatched,
	}
}

func aliveHere(identity string) (alive, known bool) {
	id, err := process.Parse(identity)
	if err != nil {
		return false, false
	}
	return id.Alive()
}

// Dead reports whether a session is dead, for good: then anybody may take its
// leases. Otherwise recheck says when to ask again; asking earlier costs
// nothing and may show an end sooner. If nothing can be said yet, because the
// store fails or holds the record of a newer mops, Dead returns an error.
//
// A session is dead if its blob is missing, says so, or is damaged; if its
// process is gone, as far as this machine can see; or if it was not renewed for
// the TTL written in it. The judge never compares the clocks of two machines.
// It compares the store's dates with the store's own clock, and even that only
// while the session does not change under its eyes. If the session does not yet
// know of its death, the judge first writes it into the session's blob, and
// then reports it.
func (j *Judge) Dead(ctx context.Context, session string) (dead bool, recheck time.Duration, err error) {
	if blob.ValidKey(sessionKey(session)) != nil {
		return true, 0, nil // no session ever had such an id
	}
	w := j.watch(session)
	if err := w.busy.lock(ctx); err != nil {
		return false, briefly, err
	}
	defer w.busy.unlock()
	if err := w.judge(ctx); err != nil {
		return false, briefly, fmt.Errorf("is session %s alive? %w", session, err)
	}
	if w.dead {
		return true, 0, nil
	}
	return false, w.recheck(), nil
}

// Waits returns what a session waits for, as its last renewal said.
func (j *Judge) Waits(ctx context.Context, session string) ([]Wait, error) {
	dead, _, err := j.Dead(ctx, session)
	if dead || err != nil {
		return nil, err
	}
	w := j.watch(session)
	if err := w.busy.lock(ctx); err != nil {
		return nil, err
	}
	defer w.busy.unlock()
	return w.state.Waits, nil
}

// watch returns what is known of a session. If many are known, it forgets those
// that nobody asked about for long.
func (j *Judge) watch(session string) *watch {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	w := j.watched[session]
	if w == nil {
		if len(j.watched) >= j.sweepAt {
			for id, w := range j.watched {
				if now.Sub(w.asked) > forgetAfter {
					delete(j.watched, id)
				}
			}
			j.sweepAt = max(mostWatched, 2*len(j.watched))
		}
		w = &watch{by: j, id: session, busy: newGate()}
		j.watched[session] = w
	}
	w.asked = now
	return w
}
