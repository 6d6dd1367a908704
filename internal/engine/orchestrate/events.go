package orchestrate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Events. Whatever is to be known of a call is told here, once, by an event, and
// all who count, show or log calls read that.

// caller is the call whose function makes a call; zero for the program itself.
type caller struct {
	uri    string
	number uint64 // 0: its function runs in another process than its call was made in
}

func callerOf(ctx context.Context) (c caller) {
	if running := worker.FromContext(ctx); running != nil {
		c.uri = running.URI
		if f, here := ctx.Value(callerKey{}).(*flight); here {
			c.number = f.tale.number
		}
	}
	return c
}

// ofResult fills in the run that made a result.
func ofResult(e *event.Event, found memo.Found) {
	e.RunID = found.RunID
	by := record.FiguresOf(found.Header)
	took(e, by)
	if e.Executor == "" {
		e.Executor = by.Executor
	}
}

func took(e *event.Event, f record.Figures) {
	e.Wall, e.CPU, e.PeakMemory = f.Wall, f.CPU, f.PeakMemory
	e.Place = placed(e.Place, f.Place)
}

// placed is where a run was: as its executor told, and else as its record says.
func placed(told, kept executor.Place) executor.Place {
	told.Host, told.Node = cmp.Or(told.Host, kept.Host), cmp.Or(told.Node, kept.Node)
	told.Requests, told.Limits = cmp.Or(told.Requests, kept.Requests), cmp.Or(told.Limits, kept.Limits)
	told.Spot = told.Spot || kept.Spot
	return told
}

// tale is what was told of the call of a flight. Its mutex orders the events: none
// follows the last.
type tale struct {
	number uint64
	caller caller

	mu      sync.Mutex
	uri     string
	asked   bool       // it was told that the call is under way
	joined  bool       // it was told that somebody else waits for it
	moved   bool       // more than that was told
	ended   bool       // nothing more is told
	wait    event.Wait // what was told last; "" if that was something else
	holder  runs.ID    // who it waits for then
	attempt *attempt   // the last one; nil before there is one
}

// attempt is one run of the call as far as it was told.
type attempt struct {
	told event.Event // its names, worker, place, stage, and what it took
	ran  time.Time   // when its program first ran
	open bool        // told to have begun, and not to have ended
}

// tell tells an event, of which the caller sets what is special.
func (f *flight) tell(e event.Event) { f.tellIn(context.Background(), e) }

// tellIn tells an event that happened in ctx, and returns the context for what
// follows; see event.Trace.
func (f *flight) tellIn(ctx context.Context, e event.Event) context.Context {
	return f.tellInIf(ctx, e, always)
}

func always(*tale) bool { return true }

// tellIf tells an event if that is still right.
func (f *flight) tellIf(e event.Event, right func(*tale) bool) {
	f.tellInIf(context.Background(), e, right)
}

func (f *flight) tellInIf(ctx context.Context, e event.Event, right func(*tale) bool) context.Context {
	e.Time = time.Now()
	f.tale.mu.Lock()
	said := !f.tale.ended && right(&f.tale)
	if said {
		if e.Kind == event.Ended {
			f.closeAttempt(e)
		}
		if said = f.tale.isNews(&e); said {
			ctx = f.send(ctx, &e)
		}
	}
	f.tale.mu.Unlock()
	if said { // outside of the mutex: the handler is the user's
		f.logEvent(e)
	}
	return ctx
}

// ownContext is the context of the call, which takes off with a new one.
func (f *flight) ownContext() context.Context {
	if f.ctx != nil {
		return f.ctx
	}
	return f.values
}

// closeAttempt tells the end of an attempt that the end of the call brings with it:
// its function keeps its goroutine, or has ended it.
func (f *flight) closeAttempt(ended event.Event) {
	a := f.tale.attempt
	if a == nil || !a.open {
		return
	}
	e := event.Event{Kind: event.AttemptEnded, Time: ended.Time, ID: a.told.ID, Err: ended.Err, Reason: ended.Reason}
	if ended.RunID == a.told.RunID {
		e.Wall, e.CPU, e.PeakMemory = ended.Wall, ended.CPU, ended.PeakMemory
	}
	f.tale.isNews(&e)
	f.send(context.Background(), &e)
}

// send fills in the call.
func (f *flight) send(ctx context.Context, e *event.Event) context.Context {
	t := &f.tale
	if t.uri == "" {
		t.uri = f.place.URI()
	}
	e.Call, e.Function = t.number, f.call.Function.ID()
	if e.MemoURI == "" { // else it is that of an old home
		e.MemoURI, e.Path = t.uri, f.place.Path
	}
	if e.Kind != event.Joined {
		e.Asked, e.Caller, e.CallerCall = f.asked, t.caller.uri, t.caller.number
	}
	return f.engine.Events.Send(ctx, e)
}

// expects makes a run the one whose stages are told, once it is told to have begun.
func (t *tale) expects(id runs.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempt = &attempt{told: event.Event{ID: id}}
}

// isNews reports whether an event says something new, and fills in what is known
// of its attempt.
func (t *tale) isNews(e *event.Event) bool {
	a := t.attempt
	its := a != nil && (e.RunID == a.told.RunID || e.RunID == "")
	switch e.Kind {
	case event.Asked, event.Joined:
		t.asked = t.asked || e.Kind == event.Asked
		t.joined = t.joined || e.Kind == event.Joined
		return true
	case event.Waiting:
		if e.Wait == t.wait && e.ID == t.holder {
			return false
		}
	case event.Started, event.Adopted:
		if !its {
			a = &attempt{}
			t.attempt = a
		}
		a.told.ID, a.told.Worker, a.open = e.ID, e.Worker, true
		a.goes(*e)
		a.fill(e)
	case event.Stage:
		if !its || !a.goes(*e) || !a.open {
			return false
		}
		a.fill(e)
	case event.AttemptEnded:
		if !its || !a.open {
			return false
		}
		a.open = false
		if e.Wall == 0 && !a.ran.IsZero() {
			e.Wall = e.Time.Sub(a.ran)
		}
		a.told.Wall, a.told.CPU, a.told.PeakMemory = e.Wall, e.CPU, e.PeakMemory
		a.fill(e)
	case event.Ended:
		t.ended = true
		if its {
			if e.Wall == 0 {
				e.Wall, e.CPU, e.PeakMemory = a.told.Wall, a.told.CPU, a.told.PeakMemory
			}
			a.fill(e)
		}
	}
	t.moved = true
	t.wait, t.holder = e.Wait, runs.ID{}
	if e.Wait != "" {
		t.holder = e.ID
	}
	return true
}

// goes notes how far the attempt is, where, and why it is queued, and reports
// whether that is new.
func (a *attempt) goes(e event.Event) bool {
	before := a.told
	switch {
	case e.Stage != "":
		if a.told.Stage != e.Stage {
			a.told.Stage, a.told.Why = e.Stage, ""
		}
	case e.Place != executor.Place{}:
		a.told.Place = e.Place
	default:
		a.told.Why = e.Why
	}
	if a.told.Stage == executor.Running && a.ran.IsZero() {
		a.ran = e.Time
	}
	return a.told.Stage != before.Stage || a.told.Place != before.Place || a.told.Why != before.Why
}

// fill sets what an event says of its attempt.
func (a *attempt) fill(e *event.Event) {
	found := e.Place
	e.ID, e.Worker, e.Stage, e.Place = a.told.ID, a.told.Worker, a.told.Stage, a.told.Place
	if e.Kind == event.Stage {
		e.Why = a.told.Why
	}
	e.Place = placed(e.Place, found)
}

// place is what was told of the attempt with a run id.
func (t *tale) place(runID string) executor.Place {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.attempt; a != nil && a.told.RunID == runID {
		return a.told.Place
	}
	return executor.Place{}
}

// tellAsked tells that a call is no hit.
func (f *flight) tellAsked(missed *miss) {
	e := event.Event{Kind: event.Asked}
	if missed.stale {
		e.Why = missed.why
	}
	if f.ctx == nil { // it has not taken off yet
		f.values = f.tellIn(f.values, e)
	} else {
		f.ctx = f.tellIn(f.ctx, e)
	}
}

// tellWaitsForSlot tells that the call waits until its executor has one, if that is
// still right.
func (f *flight) tellWaitsForSlot(right func(*tale) bool) {
	f.tellIf(event.Event{Kind: event.Waiting, Wait: event.ForSlot, For: f.call.Executor.Name(), Why: f.pool.taken}, right)
}

// tellStarted tells that a run begins, and returns its context. In this process it
// runs at once.
func (c *computing) tellStarted() context.Context {
	e := event.Event{Kind: event.Started, ID: c.ID, Worker: c.handle}
	if ability.InProcess(c.f.call.Executor) {
		e.Stage = executor.Running
	}
	return c.f.tellIn(c.ctx, e)
}

// tellWorker adds the handle of a worker to what will be told of its run.
func (c *computing) tellWorker(handle string) {
	t := &c.f.tale
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.attempt; a != nil && a.told.RunID == c.RunID {
		a.told.Worker = handle
	}
}

// tellOf are the ways in which an executor tells of its worker.
func (f *flight) tellOf(inv *executor.Invocation, stage func(executor.Stage)) {
	id := inv.ID
	inv.Tell = func(s executor.Stage) {
		f.tell(event.Event{Kind: event.Stage, ID: id, Stage: s})
		stage(s)
	}
	inv.Placed = func(p executor.Place) { f.tell(event.Event{Kind: event.Stage, ID: id, Place: p}) }
	inv.Explain = func(why string) { f.tell(event.Event{Kind: event.Stage, ID: id, Why: why}) }
}

// tellEnd tells how a run ended, and whether another follows.
func (c *computing) tellEnd(outcome Outcome, err error, again bool) {
	e := event.Event{Kind: event.AttemptEnded, ID: c.ID, Err: err, Again: again, Unbegun: c.unbegun, Detached: c.detached}
	switch {
	case err == nil && outcome.Result.RunID == c.RunID:
		took(&e, record.FiguresOf(outcome.Result.Header))
	case err == nil: // another was faster
		e.CPU, e.PeakMemory = c.exit.CPU, c.exit.PeakMemory
	default:
		e.CPU, e.PeakMemory = c.exit.CPU, c.exit.PeakMemory
		ofFailure(&e, err)
	}
	c.f.tell(e)
}

// tellLeftNothing tells the end of an adopted run that left neither result nor error.
func (f *flight) tellLeftNothing(id runs.ID, exit executor.Exit) {
	var err error
	switch {
	case exit.Code == executor.ExitLost:
		err = lease.ErrLost
	case exit.Err != nil:
		err = exit.Err
	default:
		err = &executor.Error{Reason: executor.NoResult, Message: "the worker of run " + id.RunID + " left neither a result nor an error"}
	}
	e := event.Event{Kind: event.AttemptEnded, ID: id, Err: err, CPU: exit.CPU, PeakMemory: exit.PeakMemory}
	ofFailure(&e, err)
	f.tell(e)
}

// tellEnded tells how the call ended.
func (f *flight) tellEnded(outcome Outcome, err error) {
	e := event.Event{Kind: event.Ended, Outcome: outcome.How, Err: err, Unkept: outcome.Unkept}
	if err == nil {
		ofResult(&e, outcome.Result)
		if outcome.How == Computed {
			sum := sha256.Sum256(outcome.Result.Body)
			e.Result = hex.EncodeToString(sum[:8])
		}
		if outcome.How == Hit {
			e.MemoURI, e.Path = outcome.Place.URI(), outcome.Place.Path
		}
	} else {
		if e.Outcome = event.Failed; f.ctx != nil && f.ctx.Err() != nil {
			e.Outcome = event.Cancelled
		}
		ofFailure(&e, err)
	}
	f.tellIn(f.ownContext(), e)
}

// ofFailure fills in why a run failed, and what it took where its record says so.
func ofFailure(e *event.Event, err error) {
	if failed, ok := errors.AsType[*FuncError](err); ok {
		e.RunID = failed.RunID
		took(e, failed.took)
	} else if failed, ok := errors.AsType[*executor.Error](err); ok {
		e.Reason = failed.Reason
	} else if errors.Is(err, lease.ErrLost) {
		e.Reason = executor.LeaseLost
	}
}

// tellHandedOver ends what is told of a flight that goes on under its exact key: the
// flight there tells the rest. If nobody has heard of it, nobody has to.
func (f *flight) tellHandedOver() {
	t := &f.tale
	t.mu.Lock()
	silent := !t.asked && !t.joined
	t.ended = t.ended || silent
	t.mu.Unlock()
	if !silent {
		f.tellIf(event.Event{Kind: event.Asked}, func(t *tale) bool { return !t.asked })
		f.tell(event.Event{Kind: event.Ended, Outcome: event.Awaited})
	}
}
