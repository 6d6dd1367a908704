package gc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// removedMessage marks the lease of a call whose result gc removed; its detail
// lists what the result named.
const removedMessage = "removed by mops gc; what it referred to follows"

// removed is the outcome in the lease of a call whose result gc removed. It
// leaves out what lies in the call's own folder.
func removed(named []record.SourceLocation) lease.Outcome {
	named = slices.DeleteFunc(named, func(s record.SourceLocation) bool { return strings.HasPrefix(s.Location, "out/") })
	detail, err := json.Marshal(named)
	if err != nil {
		panic(err) // strings and numbers
	}
	return lease.Outcome{Kind: runs.Cancelled, Message: removedMessage, Detail: string(detail)}
}

// isRemoved reports whether a call has nothing that a caller could get.
func (c *call) isRemoved() bool { return c.result.Key == "" && c.failure.Key == "" }

// graceIsOver reports whether all of a call may go. The lease has the date on
// which the result went.
func (r *run) graceIsOver(c *call) bool {
	return r.Grace == 0 || c.isRemoved() && (c.lease.Key == "" || r.old(c.lease.ModTime, r.Grace))
}

// namedInGrace returns what a recently removed result named.
func (r *run) namedInGrace(ctx context.Context, c *call) ([]record.SourceLocation, error) {
	place := c.place(r.store)
	info, err := r.store.Stat(ctx, place.Lease())
	if blob.Is(err, blob.NotFound) || err == nil && r.old(info.ModTime, r.Grace) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, _, err := lease.Read(ctx, r.store, place.Lease())
	_, newer := errors.AsType[*record.FormatError](err)
	switch {
	case newer, errors.Is(err, lease.ErrDamaged), err == nil && (state.Outcome == nil || state.Outcome.Message != removedMessage):
		return nil, nil
	case err != nil:
		return nil, err
	}
	var named []record.SourceLocation
	if err := json.Unmarshal([]byte(state.Outcome.Detail), &named); err != nil {
		return nil, &record.FormatError{Format: record.Format, Reason: "what its outcome lists does not decode: " + err.Error()}
	}
	return named, nil
}
