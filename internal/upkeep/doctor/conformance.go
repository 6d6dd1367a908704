package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
)

const (
	sideBySide = 8               // checks, most of which wait for one operation after the other
	checkTime  = 5 * time.Minute // for one check: GCS takes one write a second to a blob

	// mostTroubles is how many checks may fail because the store does not answer
	// before the rest is left out.
	mostTroubles = 3
)

// long are the checks that make dozens or hundreds of operations in a row, or send
// much. None of them is about something that no other check looks at.
var long = []string{"List", "OddKeys", "BigBody", "Overwrite", "SwapOften", "NoLostSwap", "WholeWhileOverwritten", "Neighbours"}

var errTrouble = errors.New("the store stopped answering")

// conformance runs the checks that drivers are tested with.
func (e *exam) conformance(ctx context.Context) {
	var checks []blobtest.Check
	for _, check := range blobtest.Checks() {
		if e.Quick && slices.Contains(long, check.Name) {
			e.report.LeftOut = append(e.report.LeftOut, check.Name)
			continue
		}
		checks = append(checks, check)
	}
	e.Progress.Begin("checks", int64(len(checks)))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var troubles atomic.Int32
	results := make([]chan Line, len(checks))
	for i := range results {
		results[i] = make(chan Line, 1)
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		var group errgroup.Group
		group.SetLimit(sideBySide)
		for i, check := range checks {
			group.Go(func() error {
				// No prefix is the beginning of another: lists would be mixed.
				line, trouble := e.check(ctx, check, fmt.Sprint(e.prefix, i, "/", check.Name))
				if trouble && troubles.Add(1) == mostTroubles {
					stop(errTrouble)
				}
				results[i] <- line
				e.Progress.Step()
				return nil
			})
		}
		group.Wait()
	})
	for _, result := range results {
		if line := <-result; line.Verdict != Skip {
			e.say(line)
		}
	}
	if context.Cause(ctx) == errTrouble {
		e.say(Line{Name: "checks", Verdict: Fail, Rule: "The store answers all the time.",
			Found: fmt.Sprintf("%d checks failed because it did not; the rest was left out", troubles.Load()),
			ToDo:  "see what it says of itself, and examine it again"})
	}
}

// check runs one check. Trouble says that it failed since the store did not answer,
// rather than since it broke a rule.
func (e *exam) check(ctx context.Context, check blobtest.Check, prefix string) (line Line, trouble bool) {
	line = Line{Name: check.Name, Rule: check.Rule, Verdict: Skip}
	if ctx.Err() != nil {
		return line, false
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	faults := e.notes.faults.Load()
	err := check.Run(limited, e.store, prefix)
	if err != nil && e.notes.faults.Load() > faults && limited.Err() == nil {
		// Trying again what was not answered, one may meet with one's own traces.
		first := err
		if err = check.Run(limited, e.store, prefix+"-again"); err == nil {
			line.Verdict, line.Found = Warn, "passed at the second try; at the first, while operations failed and were tried again: "+first.Error()
			line.ToDo = "the store or the way to it is not reliable; mops can live with that"
		}
	}
	line.Seconds = time.Since(began).Seconds()
	switch {
	case ctx.Err() != nil && err != nil:
		return line, false
	case err == nil && line.Verdict == Skip:
		line.Verdict = Pass
		return line, false
	case err == nil:
		return line, false
	}
	line.Verdict, line.Found = Fail, err.Error()
	kind := blob.KindOf(err)
	trouble = kind == blob.Unavailable || kind == blob.Throttled || kind == blob.Denied || limited.Err() != nil
	switch {
	case limited.Err() != nil:
		line.ToDo = fmt.Sprintf("it did not end within %v: is the store overloaded, or does something in between hold requests back?", checkTime)
	case trouble:
		line.ToDo = e.toDo(check.Name, err)
	default:
		line.ToDo = unfitAnyhow
		if reason, known := unfit[check.Name]; known {
			line.ToDo = reason
		}
	}
	return line, trouble
}
