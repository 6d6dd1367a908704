package lease

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// life is one session id from its first write to its end.
type life struct {
	store *blob.Store
	id    string
	key   string
	log   *slog.Logger
	waits *waits

	renew, ttl time.Duration
	silence    *time.Timer // warns when no renewal succeeds

	// These belong to the renewing goroutine; to newLife before it, to Close
	// after it.
	state   SessionState // as last written
	version blob.Version // of the blob, as far as known
	drafts  []draft      // that may have reached the store since
	turn    int          // the held lease to look at next

	mu    sync.Mutex
	over  error // why it ended; nil while it lives
	held  []*Held
	debts []*debt
}

// newLife writes a new session into the store.
func newLife(ctx context.Context, store *blob.Store, config Config, waits *waits) (*life, error) {
	id := NewID()
	l := &life{
		store: store, id: id, key: sessionKey(id), log: config.Log, waits: waits,
		renew: config.Renew, ttl: config.TTL,
	}
	began := time.Now()
	l.state = SessionState{
		ID: id, Process: config.Process.String(), User: config.User, Program: config.Program, Began: began.UTC(),
		TTLSeconds: l.ttl.Seconds(), RenewSeconds: l.renew.Seconds(),
	}
	if err := l.write(ctx, Live); err != nil {
		return nil, err
	}
	l.silence = time.AfterFunc(l.patience()-time.Since(began), func() {
		l.log.Warn("this session could not be renewed; what is computed goes on, but once the store is reached again, others may have taken it over",
			"session", id, "for", l.patience(), "root", store.Root())
	})
	return l, nil
}

// patience is how long a session may go without a renewal before people are
// told. The session does not end then: otherwise an outage of the store, or a
// laptop that slept, would destroy hours of work. It ends when a judge declares
// it dead; the next renewal finds that out.
func (l *life) patience() time.Duration { return l.ttl - l.ttl/8 }

// lost returns why the life ended, or nil.
func (l *life) lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// lose ends the life and every context held under it.
func (l *life) lose(why error) {
	l.mu.Lock()
	if l.over != nil {
		l.mu.Unlock()
		return
	}
	l.over = why
	held := l.held
	l.held = nil
	for _, h := range held {
		h.place = -1
	}
	l.mu.Unlock()
	if errors.Is(why, ErrLost) {
		l.log.Warn("session lost", "session", l.id, "leases", len(held), "why", why)
	}
	for _, h := range held {
		h.cancel(why)
	}
}
