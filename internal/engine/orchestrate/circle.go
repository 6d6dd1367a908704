package orchestrate

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Calls of several processes may wait for each other in a circle, and no
// process sees all of it. So each call that a function makes, and that waits
// long for another session's lease, says so in its own session. Then every
// waiter can follow what the sessions say, from call to call, and find itself.
//
// Sessions are renewed now and then, so what they say is a little old: a circle
// counts only when it was seen for circleProof. That delay costs nothing,
// because no call in a real circle can make progress.
const (
	circlePatience = 2 * time.Second // before a waiter says anything
	circlePause    = time.Second     // between two looks
	circleProof    = 3 * time.Second // how long a circle must be seen, since what sessions say is a little old
	circleLength   = 256             // most calls that one look follows
	circleChain    = 32              // most calls of a chain that say what they wait for
)

// circleWatch looks for a circle during one wait.
type circleWatch struct {
	flight *flight
	began  time.Time
	looked time.Time
	seen   time.Time // since when a circle is seen; zero if none is
	told   func()    // takes back what was said; nil if nothing was
}

// look returns ErrCycle if the flight waits for a holder that waits for it.
func (w *circleWatch) look(ctx context.Context, holder lease.State) error {
	f, now := w.flight, time.Now()
	if w.began.IsZero() {
		w.began = now
	}
	if f.chain == nil || now.Sub(w.began) < circlePatience || now.Sub(w.looked) < circlePause {
		return nil
	}
	w.looked = now
	if w.told == nil {
		w.told = f.tellWaits()
		f.root.session.Announce()
	}
	switch {
	case !f.circle(ctx, holder):
		w.seen = time.Time{}
	case w.seen.IsZero():
		w.seen = now
	case now.Sub(w.seen) >= circleProof:
		return fmt.Errorf("%s: %w: who computes it waits, in another process, for a call further up this chain", f.place.URI(), ErrCycle)
	}
	return nil
}

func (w *circleWatch) end() {
	if w.told != nil {
		w.told()
		w.flight.root.session.Announce()
	}
}

// tellWaits notes in the session that the callers of the flight wait for it.
func (f *flight) tellWaits() (done func()) {
	var all []func()
	for _, link := range f.chain.Innermost(circleChain) {
		all = append(all, f.root.session.Waits(link, f.place.Path))
	}
	return func() {
		for _, done := range all {
			done()
		}
	}
}

// circle follows what sessions say they wait for, starting at the holder of
// this flight's call, and reports whether that leads to one of the flight's
// callers. What cannot be read leads nowhere: another look comes.
func (f *flight) circle(ctx context.Context, holder lease.State) bool {
	type call struct{ path, session string }
	next := []call{{f.place.Path, holder.Session}}
	seen := map[string]bool{}
	for len(next) > 0 && len(seen) < circleLength {
		at := next[0]
		next = next[1:]
		parsed, err := memokey.Parse(at.path)
		if err != nil || seen[at.path] {
			continue
		}
		seen[at.path] = true
		if f.chain.Contains(parsed.Key) {
			return true
		}
		waits, err := f.root.judge.Waits(ctx, at.session)
		if err != nil {
			continue
		}
		for _, w := range waits {
			if w.Call != worker.Link(parsed.Key) {
				continue
			}
			state, _, err := lease.Read(ctx, f.root.store, w.For+"/lease")
			if err == nil && state.Status == lease.StatusHeld {
				next = append(next, call{w.For, state.Session})
			}
		}
	}
	return false
}
