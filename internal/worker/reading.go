package worker

import (
	"context"

	"github.com/TrilliantHealth/mops-go/internal/memo"
)

// reading is the reading of an invocation, under way while the lease is taken:
// neither needs the other, and on a service each is a round trip.
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

// wait returns the invocation when it is there.
func (r *reading) wait() (memo.Found, error) {
	<-r.done
	return r.found, r.err
}

// end gives up a reading that is not needed, and waits until it has ended.
func (r *reading) end() {
	r.cancel()
	<-r.done
}
