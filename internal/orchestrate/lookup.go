package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/explain"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// looked is what a look for the result came to.
type looked int

const (
	answered     looked = iota // the flight has ended
	absent                     // it must be computed
	incompatible               // what is there is of no use: see exactly
	interrupted                // the context ended first
)

// lookup ends the flight where that takes no computing: with a hit, with a kept
// error, or because nothing may run.
//
// Known is a miss that was seen just now; it may be nil.
func (f *flight) lookup(ctx context.Context, known *miss) looked {
	var outcome Outcome
	var err error
	missed := known
	switch {
	case f.call.Off:
		missed = unkeptMiss
	case known == nil:
		outcome, missed, err = f.find(ctx)
	default:
		outcome, missed, err = f.findOld(ctx, known)
	}
	switch other, found := isIncompatible(err); {
	case found:
		f.incompatible = other
		return incompatible
	case err != nil && ctx.Err() != nil:
		return interrupted
	case err != nil:
		f.end(Outcome{}, err)
	case missed == nil:
		f.engine.Tracker.Hit(f.call.Function.Name)
		f.end(outcome, nil)
	case f.call.RequireResults && !f.call.Off:
		f.end(Outcome{}, f.engine.explain(ctx, f, missed))
	default:
		if err := f.unfit(); err != nil {
			f.end(Outcome{}, err)
			return answered
		}
		if missed.tooOld {
			f.engine.Logger.Info("a result is computed again", "call", f.place.URI(), "why", missed.why)
		}
		f.miss = missed
		return absent
	}
	return answered
}

// glance answers a plain hit where the store lies in files of this machine, or
// where its cache has the result: to read one takes less than to find out
// whether somebody else is about to. All else is left to a flight, which is told
// of a plain miss. It turns the call to its exact key where that is to be used.
func (e *Engine) glance(ctx context.Context, c *Call) (outcome Outcome, known *miss, hit bool) {
	if c.Off || c.Refresh || c.KeepErrors || ctx.Err() != nil {
		return Outcome{}, nil, false
	}
	r, err := e.root(ctx, c.Root)
	if err != nil {
		return Outcome{}, nil, false
	}
	place := unkept(*c)
	place.Store = r.store
	var found memo.Found
	if r.store.IsLocal() {
		found, err = place.ResultMaybeCached(ctx)
		if blob.Is(err, blob.NotFound) {
			return Outcome{}, noResult, false
		}
		hit = err == nil
	} else {
		found, hit = place.CachedResult()
	}
	if !hit {
		return Outcome{}, nil, false
	}
	if other, ok := isIncompatible(c.fits(found, place)); ok {
		c.incompatible = other
		return e.glance(ctx, c)
	}
	if missed, err := c.aged(ctx, found, place); err != nil || missed != nil {
		return Outcome{}, nil, false
	}
	e.Tracker.Hit(c.Function.Name)
	return Outcome{Place: place, Result: found, How: Hit}, nil, true
}

// miss is why there is no result to use, and what lies in its place.
type miss struct {
	why  string
	info blob.Info // of the result that is damaged or to be replaced; zero if there is none

	// old is the result that is to be replaced, where it is sound, and leaseID
	// the lease under which it was computed.
	old     memo.Found
	leaseID string
	tooOld  bool // see aged
}

// The misses of most calls.
var (
	noResult   = &miss{why: "there is no result"}
	unkeptMiss = &miss{why: "nothing is kept of this call"}
)

// find is one read: the result. A hit costs exactly that, or nothing where this
// machine has read the result before. A miss costs another one for each old home
// of the function, and under KeepErrors.
func (f *flight) find(ctx context.Context) (Outcome, *miss, error) {
	read := f.place.ResultMaybeCached
	if f.key.refresh {
		read = f.place.Result
	}
	found, err := read(ctx)
	outcome, missed, err := f.judge(ctx, found, err)
	if err == nil && missed != nil && missed.tooOld {
		// This machine may have read it before somebody computed it again.
		outcome, missed, err = f.findResult(ctx)
	}
	if err == nil && missed != nil {
		outcome, missed, err = f.findOld(ctx, missed)
	}
	if err != nil || missed == nil || !f.call.KeepErrors || f.key.refresh {
		return outcome, missed, err
	}
	kept, err := f.place.Error(ctx)
	switch {
	case err == nil && kept.Info.ModTime.Before(missed.info.ModTime):
		return Outcome{}, missed, nil // it was computed since, though that is not to be used any more
	case err == nil:
		failed := f.funcError(kept)
		if e, ok := errors.AsType[*FuncError](failed); ok && e.Failed.Transient {
			return Outcome{}, missed, nil
		}
		return Outcome{}, nil, failed
	case blob.Is(err, blob.NotFound), errors.Is(err, record.ErrDamaged):
		return Outcome{}, missed, nil
	default:
		return Outcome{}, nil, err
	}
}

// findResult looks for the result in the store: while others may be about to
// write it, what was read before is no answer.
func (f *flight) findResult(ctx context.Context) (Outcome, *miss, error) {
	found, err := f.place.Result(ctx)
	return f.judge(ctx, found, err)
}

// judge says what a look for the result means.
func (f *flight) judge(ctx context.Context, found memo.Found, err error) (Outcome, *miss, error) {
	if err == nil {
		if err := f.call.fits(found, f.place); err != nil {
			return Outcome{}, nil, err // also with Refresh: it is not ours to replace
		}
	}
	switch {
	case err == nil && f.key.refresh && !f.refreshedAbove(found):
		var header record.ResultHeader
		if err := found.Into(&header); err != nil {
			return Outcome{}, nil, err
		}
		return Outcome{}, &miss{why: "a refresh was asked for", info: found.Info, old: found, leaseID: header.Run.LeaseID}, nil
	case err == nil:
		missed, err := f.call.aged(ctx, found, f.place)
		if err != nil || missed != nil {
			return Outcome{}, missed, err
		}
		return Outcome{Place: f.place, Result: found, How: Hit}, nil, nil
	case blob.Is(err, blob.NotFound):
		return Outcome{}, noResult, nil
	case errors.Is(err, record.ErrDamaged):
		f.engine.Logger.Warn("a damaged result is computed again and replaced", "call", f.place.URI(), "error", err)
		return Outcome{}, &miss{why: "the result is damaged", info: found.Info}, nil
	default:
		return Outcome{}, nil, err
	}
}

// refreshedAbove reports whether a result was put since the environment at the
// top began to refresh.
func (f *flight) refreshedAbove(found memo.Found) bool {
	since := f.engine.Since
	return !since.IsZero() && found.Info.ModTime.After(since)
}

// funcError makes the error of the user's function out of its record; it is an
// *incompatibleError where the input was of other types.
func (f *flight) funcError(found memo.Found) error {
	if err := f.call.errorFits(found, f.place); err != nil {
		return err
	}
	failed, err := record.DecodeFuncError(found.Body)
	if err != nil {
		return fmt.Errorf("the error record of %s: %w", f.place.URI(), err)
	}
	return f.newFuncError(found.RunID, failed)
}

func (f *flight) newFuncError(runID string, failed record.FuncError) error {
	return &FuncError{
		Function: f.call.Function.Name, URI: f.place.URI(), RunID: runID,
		Failed: failed, function: f.call.Function,
	}
}

// explainTime bounds how long a miss is looked into: the error matters more
// than its explanation.
const explainTime = 2 * time.Second

// explain says why there is no result where results are required.
func (e *Engine) explain(ctx context.Context, f *flight, missed *miss) error {
	ctx, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	var reasons []string
	if f.call.incompatible != nil {
		reasons = append(reasons, f.call.incompatible.Error())
	}
	if missed != noResult {
		reasons = append(reasons, missed.why)
	}
	if failed, err := f.place.Error(ctx); err == nil {
		var header record.ErrorHeader
		if failed.Into(&header) == nil {
			reasons = append(reasons, fmt.Sprintf("its run %s failed: %s", failed.RunID, header.Message))
		}
	}
	for _, old := range f.call.Function.OldPlaces(f.call.Input) {
		reasons = append(reasons, fmt.Sprintf("there is none at its old home %s either", path.Dir(old.Path)))
	}
	call := explain.New(ctx, f.call.Function.Head(f.place.Key, ""), f.call.Function.Describe(f.call.Pipeline), f.call.Input)
	if more := explain.Miss(ctx, f.place, call); more != "" {
		reasons = append(reasons, more)
	}
	if len(reasons) == 0 {
		return fmt.Errorf("%s: %w", f.place.URI(), ErrNoResult)
	}
	return fmt.Errorf("%s: %w: %s", f.place.URI(), ErrNoResult, strings.Join(reasons, "; "))
}
