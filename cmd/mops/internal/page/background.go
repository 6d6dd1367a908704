package page

import (
	"context"
	"sync"
	"time"
)

// backstage is where a server looks at its store behind requests: a root may be large
// and a store slow, and a page says what is known rather than let its reader wait.
type backstage struct {
	ctx   context.Context // of the server
	group sync.WaitGroup
}

// background is one thing that a server looks at again and again.
type background[T any] struct {
	look func(context.Context) (T, error)

	mu      sync.Mutex
	looking chan struct{} // closed when the look under way ends; nil if there is none
	found   found[T]
}

// found is what the latest whole look found. Nothing in it changes any more.
type found[T any] struct {
	value T
	at    time.Time // when it began; zero before the first
	took  time.Duration
	err   error // of the latest look, which may have been a later one
}

// get has it looked at anew if what was found is older than good, or ten times what
// that took. It waits for a look that is under way: for at most so long if it is the
// first one, and if it is a later one.
func (b *background[T]) get(ctx context.Context, behind *backstage, good, first, later time.Duration) found[T] {
	b.mu.Lock()
	f := b.found
	if b.looking == nil && behind.ctx.Err() == nil && (f.at.IsZero() || time.Since(f.at) > max(good, 10*f.took)) {
		b.looking = make(chan struct{})
		behind.group.Go(func() { b.run(behind.ctx) })
	}
	looking, wait := b.looking, later
	if f.at.IsZero() {
		wait = first
	}
	b.mu.Unlock()
	if looking != nil && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-looking:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.found
}

func (b *background[T]) run(ctx context.Context) {
	began := time.Now()
	value, err := b.look(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.looking)
	b.looking = nil
	if b.found.err = err; err == nil {
		b.found = found[T]{value: value, at: began, took: time.Since(began)}
	}
}
