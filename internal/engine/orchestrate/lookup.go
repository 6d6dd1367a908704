package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// looked is how a look for the result ended.
type looked int

const (
	answered     looked = iota // the flight has ended
	absent                     // it must be computed
	incompatible               // the result there is of no use: see exactly
	interrupted                // the context ended first
)

// lookup ends the flight if that takes no computing: with a hit, with a kept
// error, or because nothing may run.
//
// Known is a miss seen just now; it may be nil.
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
		f.end(outcome, nil)
	case f.call.RequireResults && !f.call.Off:
		f.end(Outcome{}, f.engine.explain(ctx, f, missed))
	default:
		if err := f.settleWhere(ctx); err != nil {
			if ctx.Err() != nil {
				return interrupted
			}
			f.end(Outcome{}, err)
			return answered
		}
		if f.engine.Plan {
			f.end(Outcome{}, fmt.Errorf("%s: %w", f.place.URI(), ErrPlanned))
			return answered
		}
		f.miss = missed
		f.tellAsked(missed)
		return absent
	}
	return answered
}

// miss says why there is no usable result, and what lies in its place.
type miss struct {
	why  string
	info blob.Info // of the result that is damaged or to be replaced; zero if none

	// old is the result to be replaced, if it is sound; leaseID is the lease
	// under which it was computed.
	old     memo.Found
	leaseID string
	stale   bool // others could use it: see aged, otherCode
}

// The misses of most calls.
var (
	noResult   = &miss{why: "there is no result"}
	unkeptMiss = &miss{why: "nothing is kept of this call"}
)

// replacing is the miss of a sound result that is to be computed again.
func replacing(found memo.Found, why string) (*miss, error) {
	var header record.ResultHeader
	if err := found.Into(&header); err != nil {
		return nil, err
	}
	return &miss{why: why, info: found.Info, old: found, leaseID: header.Run.LeaseID}, nil
}

// find looks for the result, in one read: a hit costs exactly that, or nothing
// if this machine has read the result before. A miss costs another read for
// each old home of the function, and under KeepErrors one for the error.
func (f *flight) find(ctx context.Context) (Outcome, *miss, error) {
	read := f.place.ResultMaybeCached
	if f.key.refresh {
		read = f.place.Result
	}
	found, err := read(ctx)
	outcome, missed, err := f.judge(ctx, found, err)
	if err == nil && missed != nil && missed.stale {
		// This machine may have cached it before it was computed again.
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
		return Outcome{}, missed, nil // computed since the error, though the result is not usable any more
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

// findResult looks for the result in the store itself: while others may be
// about to write it, the cache is no answer.
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
		missed, err := replacing(found, "a refresh was asked for")
		return Outcome{}, missed, err
	case err == nil:
		missed, err := f.call.aged(ctx, found, f.place)
		if err == nil && missed == nil {
			missed, err = f.engine.otherCode(ctx, &f.call, found, f.place)
		}
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

// funcError decodes the record of the user's error. It returns an
// *incompatibleError if the input had other types.
func (f *flight) funcError(found memo.Found) error {
	if err := f.call.errorFits(found, f.place); err != nil {
		return err
	}
	failed, err := record.DecodeFuncError(found.Body)
	if err != nil {
		return fmt.Errorf("the error record of %s: %w", f.place.URI(), err)
	}
	return f.newFuncError(found.RunID, failed, record.FiguresOf(found.Header))
}

func (f *flight) newFuncError(runID string, failed record.FuncError, took record.Figures) error {
	return &FuncError{
		Function: f.call.Function.Name, URI: f.place.URI(), RunID: runID,
		Failed: failed, function: f.call.Function, took: took,
	}
}

// aged says why a sound result is not to be relied on, or returns nil if it is.
// Such a result names files, and is so old that the store may remove them
// before they are opened. Files are at most RelyFor old when their result is
// put, so they outlive it by that long. If nothing may run, an old result is
// better than none.
func (c Call) aged(ctx context.Context, found memo.Found, place memo.Place) (*miss, error) {
	if c.StorageTTL <= 0 || c.RequireResults {
		return nil, nil
	}
	age := place.Store.Age(ctx, found.Info)
	if age <= source.RelyFor(c.StorageTTL) {
		return nil, nil
	}
	var header record.ResultHeader
	if err := found.Into(&header); err != nil {
		return nil, err
	}
	if len(header.Sources) == 0 {
		return nil, nil
	}
	why := fmt.Sprintf("the result names files and is %v old, and the store removes what is %v old", age.Round(time.Second), c.StorageTTL)
	return &miss{why: why, info: found.Info, old: found, leaseID: header.Run.LeaseID, stale: true}, nil
}

// findOld looks for the result at the function's old homes. It runs on a miss
// only, and costs one read for each old home, or none if this machine has read
// that result before. A result there stays there, and is never written over.
func (f *flight) findOld(ctx context.Context, missed *miss) (Outcome, *miss, error) {
	if f.key.refresh {
		return Outcome{}, missed, nil
	}
	for _, old := range f.call.Function.OldPlaces(f.call.Input) {
		r := f.root
		if old.Root != r.store.Root() { // URIs of calls have no parameters, so equal ones are our root
			var err error
			if r, err = f.engine.root(ctx, old.Root); err != nil {
				return Outcome{}, nil, fmt.Errorf("an old home of the function, which mops.ReadFrom names: %w", err)
			}
		}
		place := memo.Place{Store: r.store, Path: old.Path, Key: old.Key}
		if f.isAt(place) {
			continue
		}
		found, err := place.ResultMaybeCached(ctx)
		if err == nil {
			if why := f.call.Function.Incompatible(found.Record, found.RunID); why != "" {
				exact := old.Exact(f.call.Input)
				if place.Path, place.Key = exact.Path, exact.Key; f.isAt(place) {
					continue
				}
				found, err = place.ResultMaybeCached(ctx)
			}
		}
		var aged *miss
		if err == nil {
			aged, err = f.call.aged(ctx, found, place)
		}
		switch {
		case aged != nil:
			f.engine.Logger.Info("a result at an old home of the function is passed over", "call", f.place.URI(), "old", place.URI(), "why", aged.why)
		case err == nil:
			return Outcome{Place: place, Result: found, How: Hit}, nil, nil
		case errors.Is(err, record.ErrDamaged):
			f.engine.Logger.Warn("a damaged result at an old home of the function is passed over", "call", f.place.URI(), "old", place.URI(), "error", err)
		case !blob.Is(err, blob.NotFound):
			return Outcome{}, nil, fmt.Errorf("an old home of the function, which mops.ReadFrom names, cannot be read (without ReadFrom it is not looked at): %w", err)
		}
	}
	return Outcome{}, missed, nil
}

func (f *flight) isAt(place memo.Place) bool {
	return place.Path == f.place.Path && place.Store.Identity() == f.place.Store.Identity()
}

// isForTests reports whether a root ends with the process or lies among temporary
// files.
func isForTests(root string) bool {
	path, isFolder := strings.CutPrefix(root, "file://")
	below, err := filepath.Rel(os.TempDir(), path)
	return strings.HasPrefix(root, "mem:") || isFolder && err == nil && filepath.IsLocal(below)
}

// unfit says why a call without a result cannot be computed on its executor, or
// returns nil if it can. It is asked before the lease is taken, and never keeps
// a hit from being used.
func (f *flight) unfit(ctx context.Context) error {
	c := f.call
	stubbed := c.Function.Stubbed(ctx)
	if stubbed && !c.Off && !c.ReadOnly && !isForTests(c.Root) {
		return fmt.Errorf("a stub of mopstest stands in for the function, and what it returns would be taken for real in the store at %s: give mopstest.Context a root below t.TempDir, or none", c.Root)
	}
	if ability.InProcess(c.Executor) {
		if !c.Function.Implemented() && !stubbed {
			return fmt.Errorf("there is no result, and the function is %w", function.ErrNotImplemented)
		}
		return nil
	}
	where := c.Executor.Name()
	if advice := f.engine.NoWorker; advice != "" && ability.StartsItself(c.Executor) {
		return &executor.Error{Reason: executor.LaunchFailed, Message: "the executor " + where + " starts this program again as a worker, and it would not become one: " + advice}
	}
	switch field := c.Function.Kept(c.Local); {
	case strings.HasPrefix(c.Root, "mem:"):
		return &executor.Error{Reason: executor.LaunchFailed, Message: fmt.Sprintf(
			"the root %s is in the memory of this process, where a worker of the executor %s cannot read it: use a root such as file:///data/mops, or run the function in process",
			c.Root, where)}
	case field != "":
		return &executor.Error{Reason: executor.LaunchFailed, Message: fmt.Sprintf(
			`%s is tagged mops:"-": it stays in this process, and a worker of the executor %s would find it zero: run the function in process, or leave the field zero and make what it holds inside the function`,
			field, where)}
	}
	return nil
}

// explainTime bounds how long a miss is explained: the error matters more than
// its explanation.
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
	call := explain.New(ctx, f.call.Function.Head(f.place.Key, ""), f.call.Function.Describe(f.call.Pipeline), f.call.Function.Types(), f.call.Input)
	if more := explain.Miss(ctx, f.place, call); more != "" {
		reasons = append(reasons, more)
	}
	if len(reasons) == 0 {
		return fmt.Errorf("%s: %w", f.place.URI(), ErrNoResult)
	}
	return fmt.Errorf("%s: %w: %s", f.place.URI(), ErrNoResult, strings.Join(reasons, "; "))
}
