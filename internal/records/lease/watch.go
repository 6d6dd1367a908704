package lease

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob"
)

// swapTries is how often to swap again after another process changed the lease
// without taking it from us.
const swapTries = 4

// update swaps the lease. The caller holds busy.
func (h *Held) update(ctx context.Context, change func(*State)) error {
	var err error
	for range swapTries {
		next := h.state
		change(&next)
		var version blob.Version
		if version, err = Put(ctx, h.store, h.key, h.version, next); err == nil {
			h.version, h.state = version, next
			return nil
		}
		if !blob.Is(err, blob.Mismatch) {
			return err
		}
		if err := h.refresh(ctx); err != nil {
			return err
		}
	}
	return err
}

// refresh reads the lease again after another process changed it. It is still
// ours if it has our id and names our session: a worker takes it over from its
// orchestrator, and a new orchestrator joins a worker. The caller holds busy.
func (h *Held) refresh(ctx context.Context) error {
	found, version, err := Read(ctx, h.store, h.key)
	switch {
	case errors.Is(err, ErrDamaged):
		h.version = version // still ours until another session swaps it; the next update mends it
		return nil
	case err != nil:
		return err
	case found.heldBy(h.leaseID, h.session):
		h.version, h.state = version, found
		return nil
	}
	err = fmt.Errorf("%w: %s %s", ErrLost, h.store.URI(h.key), found.whose())
	h.leave()
	h.cancel(err)
	return err
}

func (s State) heldBy(leaseID, session string) bool {
	return s.Status == StatusHeld && s.LeaseID == leaseID && (s.Session == session || s.Orchestrator == session)
}

// whose says which session has the lease, after "the lease was lost: <uri>".
func (s State) whose() string {
	switch {
	case s.LeaseID == "":
		return "is gone"
	case s.Status == StatusReleased && s.Outcome != nil:
		return fmt.Sprintf("was released (%s %s)", s.Outcome.Kind, s.Outcome.Message)
	}
	return fmt.Sprintf("is now held by session %s on host %s", s.Session, s.Host)
}

// lookAtOne looks at the next held lease, so that this process notices when a
// person breaks one.
func (l *life) lookAtOne(ctx context.Context) {
	l.mu.Lock()
	var h *Held
	if len(l.held) > 0 {
		l.turn = (l.turn + 1) % len(l.held)
		h = l.held[l.turn]
	}
	l.mu.Unlock()
	if h == nil || !h.busy.tryLock() {
		return // an update is under way
	}
	defer h.busy.unlock()
	ctx, cancel := context.WithTimeout(ctx, l.renew/2)
	defer cancel()
	info, err := l.store.Stat(ctx, h.key)
	if err == nil && info.Version == h.version {
		return
	}
	if err == nil || blob.Is(err, blob.NotFound) {
		err = h.refresh(ctx)
	}
	if err != nil {
		l.log.Debug("held lease looked at", "lease", l.store.URI(h.key), "err", err)
	}
}
