package worker

import (
	"context"

	"github.com/TrilliantHealth/mops-go/internal/records/memo"
)

// reading reads an invocation while the lease is taken: neither needs the
// other, and on a service each is a round trip.
type reading struct {
	done   chan struct{}
	cancel context.CancelFunc
	found  memo.Found
	err    error
}

func readInvocation(ctx context.Context, place memo.Place) *reading {
	ctx, cancel := context.WithCancel(ctx)
	r := &reading{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(r.done)
		r.found, r.err = place.Invocation(ctx)
	}()
	return r
}

// wait waits for the invocation and returns it.
func (r *reading) wait() (memo.Found, error) {
	<-r.done
	return r.found, r.err
}

// end gives up a reading that nobody needs, and waits until it has ended.
func (r *reading) end() {
	r.cancel()
	<-r.done
}
