// Package slots limits how many functions run side by side in a tree of
// processes. A function holds a slot while it runs and gives it back while it
// waits for a call that it made itself: else two slots and a recursion would
// wait for each other for ever. The orchestrator asks for a slot before it takes
// a lease; the executors know nothing of it.
package slots

import (
	"context"
	"errors"
	"sync"
)

// Errors of a Pool.
var (
	ErrHeld     = errors.New("slots: this holder has or awaits a slot already; a holder is one run, under a name of its own")
	ErrReleased = errors.New("slots: the slot was released while it was awaited")
	ErrClosed   = errors.New("slots: the connection to the pool was closed by this process")

	// errUnknown goes from pool to pool only: Resume then has nothing to do.
	errUnknown = errors.New("slots: no such holder")
)

// Pool is a number of slots. A holder is the name of a run, such as its lease
// id. A holder that has acquired nothing, or has released it, may run on; the
// pool takes no notice of it. A Pool is safe for concurrent use.
type Pool interface {
	// Acquire takes a slot, first come, first served. It fails with the
	// context's error, or ErrHeld.
	Acquire(ctx context.Context, holder string) error

	// Pause gives the holder's slot back while it waits for a call that it made.
	// Several calls that a function makes side by side each pause it.
	Pause(holder string)

	// Resume undoes one Pause. The last one takes a slot again, before all that
	// only want to begin. When it fails, with the context's error or
	// ErrReleased, the holder runs on without a slot, until Release.
	Resume(ctx context.Context, holder string) error

	// Release gives up what the holder has, paused or not, for good. It may be
	// called again.
	Release(holder string)
}

// Pools are the pools of one process by name, one per executor. The zero value
// is ready to use.
type Pools struct {
	mu    sync.Mutex
	pools map[string]Pool
}

// Pool returns the pool with that name and makes it, with n slots, if need be;
// see Local.
func (p *Pools) Pool(name string, n int) Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pool, ok := p.pools[name]
	if !ok {
		if p.pools == nil {
			p.pools = map[string]Pool{}
		}
		pool = Local(n)
		p.pools[name] = pool
	}
	return pool
}

// Local returns a pool of n slots in this process; n <= 0 means no limit.
func Local(n int) Pool {
	if n <= 0 {
		return unlimited{}
	}
	return newLocal(n)
}

// unlimited is a pool that never runs out.
type unlimited struct{}

func (unlimited) Acquire(ctx context.Context, _ string) error { return ctx.Err() }
func (unlimited) Pause(string)                                {}
func (unlimited) Resume(ctx context.Context, _ string) error  { return ctx.Err() }
func (unlimited) Release(string)                              {}

// Queue is a Pool of this process, in which waiting costs no goroutine.
type Queue interface {
	Pool

	// Enqueue is Acquire that returns at once. Where a slot is free, the holder has
	// it; otherwise done is called when it has one, or with ErrReleased when it
	// was withdrawn before. Done must not block, nor call the pool. The holder
	// must be a new one.
	Enqueue(holder string, done func(error)) (got bool)

	// Withdraw takes a holder out of the queue. One that has its slot, or is not
	// known, stays as it is.
	Withdraw(holder string)
}
