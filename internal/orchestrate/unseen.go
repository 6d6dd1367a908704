package orchestrate

import (
	"context"
	"errors"

	"github.com/TrilliantHealth/mops-go/blob"
)

// mostUnseen is how often a lease may be there for who writes it and not for who
// reads it: once, where somebody removes the call at that moment.
const mostUnseen = 8

// unseen bounds how often a call comes to a lease that cannot be written, as there
// is one, nor be read, as there is none.
type unseen struct {
	flight *flight
	pause  *pause
	n      int
}

func (f *flight) newUnseen() *unseen { return &unseen{flight: f, pause: f.newPause()} }

// again waits before the next try, longer each time, or says that it is of no use.
func (u *unseen) again(ctx context.Context) error {
	if u.n++; u.n < mostUnseen {
		return u.pause.wait(ctx, 0)
	}
	store := u.flight.root.store
	return &blob.Error{Op: "get", URI: store.URI(u.flight.place.Lease()), Kind: blob.Unavailable, Err: errors.New(
		"the store says that the lease is there to who writes it, and that it is not to who reads it: something in between answers in its place, " +
			"or it is not fit for use; mops doctor " + store.Root() + " looks into it")}
}
