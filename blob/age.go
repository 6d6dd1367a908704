package blob

import (
	"context"
	"sync"
	"time"
)

// Age is how old a blob is by the clock of the store, which dated it. Age asks
// for the store's time once an hour, and lets it pass as on this machine in
// between. If the store tells no time, or fails to, this machine's clock
// decides.
func (s *Store) Age(ctx context.Context, info Info) time.Duration {
	return s.clock.now(ctx, s).Sub(info.ModTime)
}

// clockKnown is how long an answer of a store's clock is good: the clocks of
// two machines drift apart by less than a second in that time.
const clockKnown = time.Hour

// storeClock remembers a store's clock. The zero value knows nothing.
type storeClock struct {
	mu   sync.Mutex
	told time.Time // by the store
	at   time.Time // when the store told it, by our clock
}

func (c *storeClock) now(ctx context.Context, s *Store) time.Time {
	c.mu.Lock()
	told, at := c.told, c.at
	c.mu.Unlock()
	// A machine that sleeps may stop its monotonic clock; the wall clock shows the
	// sleep.
	if passed := max(time.Since(at), time.Since(at.Round(0))); !at.IsZero() && passed < clockKnown {
		return told.Add(time.Since(at))
	}
	told, ok, err := s.Now(ctx)
	if err != nil || !ok {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.at = told, time.Now()
	return told
}
