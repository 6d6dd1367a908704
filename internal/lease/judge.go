package lease

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/process"
)

const (
	// briefly is the least time between two readings of one session, and
	// between two looks at one process.
	briefly = 500 * time.Millisecond

	// longest is the most time between two readings, so that an end that the
	// owner declared is seen soon.
	longest = 5 * time.Second

	// slack covers stores that tell the time in whole seconds, as HTTP dates do.
	slack = time.Second

	// Sessions are forgotten after this time, when more than this are known.
	forgetAfter = 10 * time.Minute
	mostWatched = 4096
)

// JudgeConfig is how a judge sees the world. The zero value is good.
type JudgeConfig struct {
	// Alive looks at a process by the identity that a session names; known is
	// false where it cannot see it. It looks at this host where nil.
	Alive func(identity string) (alive, known bool)

	// Name is who signs a death; this process where "".
	Name string

	Log *slog.Logger // may be nil
}

// Judge finds out whether other sessions live. It remembers what it saw, since
// only who watches a blob can tell that it does not change: use one for each
// process and store. It is safe for concurrent use, and many that ask about
// one session cost no more than one.
type Judge struct {
	store  *blob.Store
	config JudgeConfig
	clock  storeClock

	mu      sync.Mutex
	watched map[string]*watch
	sweepAt int // how many are watched when the next sweep is due
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

// Dead reports whether a session is dead, for good: whoever asks may take its
// leases. Otherwise recheck says when it is worth asking again; asking earlier
// costs nothing and may see an end sooner. A session of which nothing can be
// said yet, because the store fails or holds a newer mops's record, is an error.
//
// A session is dead when its blob is missing, says so, or is damaged; when its
// process is gone, as far as that can be seen from here; or when it was not
// renewed for the TTL written in it. Clocks of two machines are never compared:
// the store's dates are held against the store's own clock, and only where
// the session does not change under the judge's eyes either. Before a death is
// told that the session does not know of itself, it is written into its blob,
// so that it is one decision for all its leases and its owner learns of it.
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

// Waits returns what a session waits for, as it said in its last renewal.
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

// watch returns what is known of a session. Sessions that nobody asked about
// for a long time are forgotten when there are many.
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
