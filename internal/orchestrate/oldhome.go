package orchestrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// findOld looks for the result of a call that has none here where the function
// was at home before: one read for each such place, on a miss only, and none where
// this machine has read that result before. What lies there stays there, and is
// never written over.
func (f *flight) findOld(ctx context.Context, missed *miss) (Outcome, *miss, error) {
	if f.key.refresh {
		return Outcome{}, missed, nil
	}
	for _, old := range f.call.Function.OldPlaces(f.call.Input) {
		r := f.root
		if old.Root != r.store.Root() { // else it is ours, as URIs of calls have it: without parameters
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
