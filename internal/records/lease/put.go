package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// ErrDamaged is record.ErrDamaged: the blob is no whole lease. Read returns its
// version too, so that Put can replace it.
var ErrDamaged = record.ErrDamaged

// settleTime is how long Put tries to learn whether a put arrived whose
// acknowledgement was lost, even if the context has ended.
const settleTime = 5 * time.Second

// Read returns the lease stored under key, with the version that Put needs to
// change it. A missing lease is no error: its version is "". Apart from the
// store's, the errors are ErrDamaged, with a version, for a lease that may be
// replaced, and *record.FormatError for one that may not.
func Read(ctx context.Context, store *blob.Store, key string) (State, blob.Version, error) {
	var state State
	info, err := fetch(ctx, store, key, record.KindLease, &state)
	switch {
	case blob.Is(err, blob.NotFound):
		return State{}, "", nil
	case errors.Is(err, ErrDamaged):
		return State{}, info.Version, err
	case err != nil:
		return State{}, "", err
	case state.Key != key:
		return State{}, info.Version, fmt.Errorf("%s: %w: it is a copy of the lease %s", store.URI(key), ErrDamaged, state.Key)
	case state.Status != StatusHeld && state.Status != StatusReleased:
		return State{}, "", named(store.URI(key), &record.FormatError{
			Format: record.Format, Reason: fmt.Sprintf("a lease with the status %q", state.Status)})
	}
	return state, info.Version, nil
}

// Put writes a lease and returns the version written: if prev is "", only where
// there is none, else over exactly the version prev. If another session wins
// the race, the error has the kind blob.Exists or blob.Mismatch. If the store
// reported a failure but applied the put, Put succeeds.
func Put(ctx context.Context, store *blob.Store, key string, prev blob.Version, state State) (blob.Version, error) {
	state.Key, state.Nonce = key, NewID()
	state.Outcome = state.Outcome.brief()
	data, err := record.Seal(record.KindLease, state, nil)
	if err != nil {
		return "", err
	}
	info, err := store.PutBytes(ctx, key, data, blob.PutOptions{IfAbsent: prev == "", IfVersion: prev})
	if err == nil {
		return info.Version, nil
	}
	if blob.Is(err, blob.Denied) || blob.Is(err, blob.Invalid) {
		return "", err
	}

	// Whatever the store says, an earlier try of this put may have arrived.
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	found, version, readErr := Read(detached, store, key)
	lost := blob.Is(err, blob.Exists) || blob.Is(err, blob.Mismatch)
	switch {
	case version != "" && found.Nonce == state.Nonce:
		return version, nil
	case readErr == nil && lost:
		return "", err
	case readErr == nil && version != prev:
		kind := blob.Mismatch
		if prev == "" {
			kind = blob.Exists
		}
		return "", &blob.Error{Op: "put", URI: store.URI(key), Kind: kind, Err: err}
	}
	return "", &unsettled{err}
}

// unsettled is a failed put that may have been applied, or may be still.
type unsettled struct{ err error }

func (e *unsettled) Error() string { return e.err.Error() }
func (e *unsettled) Unwrap() error { return e.err }
