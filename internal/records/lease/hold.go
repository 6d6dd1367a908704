package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Held is a lease that this process holds, either to compute or to watch a
// worker. End it with Done or Release. It is safe for concurrent use.
type Held struct {
	store   *blob.Store
	life    *life  // nil if the session was over from the start
	session string // the session that holds it
	key     string
	leaseID string
	cancel  context.CancelCauseFunc
	place   int // in life.held, or -1; guarded by life.mu

	busy    gate // guards the two below, over store operations too
	version blob.Version
	state   State
}

// Take takes a lease: if prev is "", only where there is none, else over
// exactly the version prev. It fills in what state leaves empty: a new lease
// id, this session as the one that computes and the one that watches, the host,
// the user, the time. The context ends when parent does, with Done and Release,
// and with the cause ErrLost when the lease is lost. If another session wins
// the race, the error has the kind blob.Exists or blob.Mismatch.
//
// It costs one put; the first lease of a session costs another one.
func (s *Session) Take(parent context.Context, key string, prev blob.Version, state State) (context.Context, *Held, error) {
	l, err := s.begin(parent)
	if err != nil {
		return nil, nil, err
	}
	state.Status, state.Outcome = StatusHeld, nil
	fill(&state.LeaseID, NewID)
	fill(&state.Session, func() string { return l.id })
	fill(&state.Orchestrator, func() string { return l.id })
	fill(&state.Host, func() string { return s.config.Process.Host })
	fill(&state.User, func() string { return s.config.User })
	if state.Since.IsZero() {
		state.Since = time.Now().UTC()
	}
	owed := l.forgive(key, state.LeaseID)
	version, err := Put(parent, s.store, key, prev, state)
	if err != nil {
		if _, unknown := errors.AsType[*unsettled](err); unknown && len(owed) == 0 {
			owed = []debt{{key, state.LeaseID, Outcome{Kind: runs.Cancelled, Message: "taking the lease failed halfway"}}}
		}
		l.owe(owed...)
		return nil, nil, err
	}
	ctx, held := s.Hold(parent, key, version, state)
	return ctx, held, nil
}

func fill(field *string, with func() string) {
	if *field == "" {
		*field = with()
	}
}

// Hold watches over a lease that was put with Put and names this session. See
// Take for the context; if the session was lost since, the context has already
// ended.
func (s *Session) Hold(parent context.Context, key string, version blob.Version, state State) (context.Context, *Held) {
	ctx, cancel := context.WithCancelCause(parent)
	h := &Held{store: s.store, key: key, leaseID: state.LeaseID, cancel: cancel, place: -1, busy: newGate(), version: version, state: state}
	l := s.current.Load()
	if l == nil || (state.Session != l.id && state.Orchestrator != l.id) {
		h.session = state.Orchestrator
		cancel(fmt.Errorf("%w: session %s is over", ErrLost, h.session))
		return ctx, h
	}
	h.life, h.session = l, l.id
	l.mu.Lock()
	over := l.over
	if over == nil {
		h.place = len(l.held)
		l.held = append(l.held, h)
	}
	l.mu.Unlock()
	if over != nil {
		cancel(over)
	}
	return ctx, h
}

// Done ends the context and forgets the lease without touching the store. Use
// it after a success: the result says all that others need to know.
func (h *Held) Done() {
	h.leave()
	h.cancel(nil)
}

// State is what the lease says, as far as known here.
func (h *Held) State(ctx context.Context) (State, error) {
	if err := h.busy.lock(ctx); err != nil {
		return State{}, err
	}
	defer h.busy.unlock()
	return h.state, nil
}

// Version is the lease's version, as far as known here: a worker that is given
// it can take the lease over without reading it.
func (h *Held) Version(ctx context.Context) (blob.Version, error) {
	if err := h.busy.lock(ctx); err != nil {
		return "", err
	}
	defer h.busy.unlock()
	return h.version, nil
}

// Update changes what the lease says, such as the handle of a worker. The error
// is ErrLost if the lease is no longer ours.
func (h *Held) Update(ctx context.Context, change func(*State)) error {
	if err := h.busy.lock(ctx); err != nil {
		return err
	}
	defer h.busy.unlock()
	return h.update(ctx, change)
}

// Release ends the context and gives the lease back with the outcome of the
// run. Use it after a failure. If the store cannot be reached, Release returns
// the error, and the session goes on trying as long as it lives. The error is
// ErrLost if the lease was no longer ours; then there is nothing left to do.
func (h *Held) Release(ctx context.Context, outcome Outcome) error {
	h.Done()
	if err := h.busy.lock(ctx); err != nil {
		h.owe(outcome)
		return err
	}
	defer h.busy.unlock()
	err := h.update(ctx, func(s *State) {
		s.Status, s.Outcome = StatusReleased, &outcome
	})
	if err != nil && !errors.Is(err, ErrLost) {
		h.owe(outcome)
	}
	return err
}

// Resign ends the context and takes this session's name out of the lease: the
// worker that computes under it goes on alone, and others may adopt it. The
// error is ErrLost if the lease was no longer ours.
func (h *Held) Resign(ctx context.Context) error {
	h.Done()
	if err := h.busy.lock(ctx); err != nil {
		return err
	}
	defer h.busy.unlock()
	return h.update(ctx, func(s *State) {
		if s.Orchestrator == h.session {
			s.Orchestrator = ""
		}
		if s.Session == h.session {
			s.Session = ""
		}
	})
}

// owe leaves the release to the session.
func (h *Held) owe(outcome Outcome) {
	if h.life != nil {
		h.life.owe(debt{h.key, h.leaseID, outcome})
	}
}

// leave takes the lease off the session's watch.
func (h *Held) leave() {
	l := h.life
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.place < 0 {
		return
	}
	last := len(l.held) - 1
	l.held[h.place] = l.held[last]
	l.held[h.place].place = h.place
	l.held[last] = nil
	l.held = l.held[:last]
	h.place = -1
}
