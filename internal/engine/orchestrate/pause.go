package orchestrate

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Pauses between two looks at a call that another session computes. They start
// short and grow up to a bound: a waiter returns within 0.3 s of the result
// where a look costs microseconds, and within 1 s where a look is a request.
const (
	firstPause  = 20 * time.Millisecond
	localPause  = 200 * time.Millisecond
	remotePause = 800 * time.Millisecond

	// pausePerWaiter bounds what all waiters of a process cost together: a
	// thousand of them look at most five thousand times a second, and a hundred
	// thousand no more often.
	pausePerWaiter = 200 * time.Microsecond
)

// waiters counts the waiters of this process.
var waiters atomic.Int64

type pause struct {
	next, most time.Duration
}

func (f *flight) newPause() *pause {
	most := remotePause
	if f.root.store.IsLocal() {
		most = localPause
	}
	return &pause{next: firstPause, most: most}
}

// wait pauses, at most for recheck unless that is 0.
func (p *pause) wait(ctx context.Context, recheck time.Duration) error {
	most := max(p.most, time.Duration(waiters.Add(1))*pausePerWaiter)
	defer waiters.Add(-1)
	d := min(p.next, most)
	p.next = min(p.next*3/2, most)
	d = d*3/4 + rand.N(d/4+1) // so that waiters don't march in step
	if recheck > 0 {
		d = min(d, recheck)
	}
	if !sleep.For(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}
