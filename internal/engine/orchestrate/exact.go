package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/records/memo"
)

// The exact key. Programs whose types differ only in what the fingerprints
// leave out make the same memo key, and one program's result may be of no use
// to another. Then the other leaves that result alone, and makes the call again
// under its exact key, which leaves nothing out: it looks for the result,
// computes it and keeps it there.

// incompatibleError says that the record under a call's usual key is of no use.
type incompatibleError struct {
	uri  string
	what string
	why  string // the end of a sentence, such as "of a type without Out.Median"
}

func (e *incompatibleError) Error() string {
	return fmt.Sprintf("%s is there, %s (%s)", e.what, e.why, e.uri)
}

// fits returns nil for a result that the caller can use, else an
// *incompatibleError.
func (c Call) fits(found memo.Found, place memo.Place) error {
	if c.incompatible != nil {
		return nil // a result under the exact key has our types
	}
	return incompatibleAt(place, "a result", c.Function.Incompatible(found.Record, found.RunID))
}

// errorFits is fits for the record of an error.
func (c Call) errorFits(found memo.Found, place memo.Place) error {
	if c.incompatible != nil {
		return nil
	}
	return incompatibleAt(place, "an error", c.Function.IncompatibleError(found.Record, found.RunID))
}

func incompatibleAt(place memo.Place, what, why string) error {
	if why == "" {
		return nil
	}
	return &incompatibleError{uri: place.URI(), what: what, why: why}
}

// exactly makes the call again under its exact key, and ends the flight with
// the outcome of that.
func (f *flight) exactly() {
	c := f.call
	c.incompatible = f.incompatible
	exact, leads, err := f.engine.join(f.ctx, c)
	if err == nil {
		err = f.follows(exact)
	}
	if err != nil {
		f.end(Outcome{}, f.cancelled(err))
		return
	}
	f.tellHandedOver()
	var once sync.Once
	unhook := context.AfterFunc(f.ctx, func() {
		if last := exact.leave(f.ctx, context.Cause(f.ctx)); !last { // others want it
			once.Do(func() { f.end(Outcome{}, context.Cause(f.ctx)) })
		}
	})
	exact.whenEnded(func() {
		if unhook() {
			exact.leave(f.ctx, nil)
		}
		outcome, err := exact.result()
		if !leads && outcome.How == Computed {
			outcome.How = Awaited
		}
		once.Do(func() { f.end(outcome, err) })
	})
	if leads {
		exact.takesOff(exact.lookAndCompute)
	}
}

// follows notes that f ends when the flight under the exact key does, unless
// that flight waits for f.
func (f *flight) follows(exact *flight) error {
	f.engine.mu.Lock()
	defer f.engine.mu.Unlock()
	if !exact.reaches(f) {
		f.awaits(exact, +1)
		return nil
	}
	exact.waiters-- // its function waits for f, so f is not its last waiter
	return fmt.Errorf("%s: %w: it waits for a call that is being made by %s", exact.place.URI(), ErrCycle, f.place.URI())
}

func isIncompatible(err error) (*incompatibleError, bool) {
	return errors.AsType[*incompatibleError](err)
}
