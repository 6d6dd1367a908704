package gc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/sources/sweep"
)

// turnUse is the part of a turn in which new removals begin, so that they end
// within the turn.
const turnUse = 5 * time.Second

// removeContent removes the old content that no record named.
func (r *run) removeContent(ctx context.Context) error {
	var left []content
	for i, c := range r.marks.content {
		if !r.marks.isNamed(i) {
			left = append(left, c)
		}
	}
	r.Progress.Begin("removing content", int64(len(left)))
	for len(left) > 0 {
		n, err := r.removeInTurn(ctx, left)
		if err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// removeInTurn removes as much as one turn has time for.
func (r *run) removeInTurn(ctx context.Context, left []content) (done int, err error) {
	turn, end, err := sweep.Turn(ctx, r.store)
	if err != nil {
		return 0, fmt.Errorf("a turn to remove content: %w", err)
	}
	defer func() { err = errors.Join(err, end()) }()
	var group errgroup.Group
	group.SetLimit(r.Parallel)
	for began := time.Now(); done < len(left) && time.Since(began) < turnUse && ctx.Err() == nil; done++ {
		c := left[done]
		group.Go(func() error {
			if err := r.removeOld(turn, c); err != nil && ctx.Err() == nil {
				r.problem(fmt.Errorf("content that no record names is not removed: %w", err))
			}
			r.Progress.Step()
			return nil
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	return done, nil
}

// removeOld removes content unless it was written since. If a delete may or may
// not have been done, removeOld looks at the date again before it repeats it: a
// program may have written the content anew.
func (r *run) removeOld(turn context.Context, c content) error {
	const tries = 6
	key := source.BlobKey(c.hash)
	for n := 1; ; n++ {
		info, err := r.bare.Stat(turn, key)
		switch {
		case blob.Is(err, blob.NotFound), err == nil && !r.old(info.ModTime, r.TTL):
			return nil
		case err == nil:
			if err = r.bare.Delete(turn, key); err == nil {
				r.freed(info.Size)
				return nil
			}
		}
		if n == tries || !blob.Is(err, blob.Throttled) && !blob.Is(err, blob.Unavailable) {
			return err
		}
		if !sleep.For(turn, 50*time.Millisecond<<n) {
			return err
		}
	}
}

// checksPrefix is where the tool checks a store.
const checksPrefix = "mops1-doctor/"

// removeDead removes the sessions of processes that have long been dead, and
// what killed checks of the store, drivers and packs left.
func (r *run) removeDead(ctx context.Context) error {
	r.Progress.Begin("looking at sessions", 0)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	for _, kind := range []struct {
		prefix string
		age    time.Duration
	}{{lease.SessionPrefix, sessionAge}, {checksPrefix, checksAge}, {driver.ScratchPrefix, scratchAge}, {packs.Prefix, packAge}} {
		for info, err := range r.store.List(groupCtx, kind.prefix, "") {
			if err != nil {
				return errors.Join(group.Wait(), err)
			}
			if r.old(info.ModTime, kind.age) {
				group.Go(func() error { return r.removeDeadOne(groupCtx, info, kind.prefix) })
			}
		}
	}
	return group.Wait()
}

func (r *run) removeDeadOne(ctx context.Context, info blob.Info, prefix string) error {
	if prefix == lease.SessionPrefix {
		_, _, err := lease.ReadSession(ctx, r.store, info.Key[len(prefix):])
		if _, newer := errors.AsType[*record.FormatError](err); newer || blob.Is(err, blob.NotFound) {
			return nil
		}
	}
	r.mu.Lock()
	r.report.Dead.add(1, info.Size)
	r.mu.Unlock()
	if !r.Delete {
		return nil
	}
	err := r.store.Delete(ctx, info.Key)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		r.problem(err)
	default:
		r.Progress.Step()
		r.freed(info.Size)
	}
	return nil
}

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
