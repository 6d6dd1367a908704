package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Life is what one look at a session shows.
type Life string

// The lives.
const (
	Alive   Life = "live"
	Gone    Life = "dead"
	Unknown Life = "unknown" // nobody can tell from here, or not at one look
)

// Sight is a session as one look saw it.
type Sight struct {
	Life   Life
	Why    string // the evidence, in a few words
	Record SessionState
	Info   blob.Info // of its blob; zero if there is none
}

// Glance looks at a session once and writes nothing: it is for people. It must
// not decide who takes a lease: only a [Judge] that watches for a while can be
// sure of sessions on other machines. The error is the store's.
func Glance(ctx context.Context, store *blob.Store, session string) (Sight, error) {
	if blob.ValidKey(sessionKey(session)) != nil {
		return Sight{Life: Gone, Why: "no session ever had such an id"}, nil
	}
	state, info, err := ReadSession(ctx, store, session)
	s := Sight{Record: state, Info: info}
	switch {
	case blob.Is(err, blob.NotFound):
		s.Life, s.Why = Gone, "its session is not in the store"
		return s, nil
	case errors.Is(err, ErrDamaged):
		s.Life, s.Why = Gone, "its session's record is damaged"
		return s, nil
	case err != nil:
		if _, ok := errors.AsType[*record.FormatError](err); ok {
			s.Life, s.Why = Unknown, "its session's record is one that this program cannot read"
			return s, nil
		}
		return s, err
	}
	now := time.Now()
	if !store.IsLocal() {
		if told, ok, err := store.Now(ctx); err == nil && ok {
			now = told
		}
	}
	s.Life, s.Why = state.glance(now.Sub(info.ModTime))
	return s, nil
}

// glance judges by the record and by the time since its last renewal.
func (s SessionState) glance(quiet time.Duration) (Life, string) {
	switch s.State {
	case Ended:
		return Gone, "its process ended"
	case Dead:
		return Gone, "it was declared dead: " + s.Reason
	}
	alive, known := aliveHere(s.Process)
	seconds := max(quiet, 0).Truncate(time.Second)
	switch {
	case known && !alive:
		return Gone, "its process is gone"
	case known:
		return Alive, "its process runs on this machine"
	case quiet > s.ttl()+slack:
		return Gone, fmt.Sprintf("it was not renewed for %v, and its time to live is %v", seconds, s.ttl())
	}
	return Alive, fmt.Sprintf("it was renewed %v ago", seconds)
}
