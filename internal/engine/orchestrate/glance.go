package orchestrate

import (
	"context"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
)

// glance answers a plain hit without a flight, if the store lies in files of
// this machine or this machine's cache has the result: reading one costs less
// than finding out whether another call is about to. Everything else is left to
// a flight, which is told of a plain miss. If the usual key is of no use,
// glance switches the call to its exact key. Nothing of what it finds is kept: see
// Call.Room.
func (e *Engine) glance(ctx context.Context, c *Call, asked time.Time) (outcome Outcome, known *miss, hit bool) {
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
		found, err = place.ResultInto(ctx, c.room())
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
		return e.glance(ctx, c, asked)
	}
	if missed, err := c.aged(ctx, found, place); err != nil || missed != nil {
		return Outcome{}, nil, false
	}
	if missed, err := e.otherCode(ctx, c, found, place); err != nil || missed != nil {
		return Outcome{}, nil, false
	}
	e.tellHit(ctx, c, asked, place, found)
	return Outcome{Place: place, Result: found, How: Hit}, nil, true
}

func (c *Call) room() *[]byte {
	if c.Room == nil {
		c.Room = new([]byte)
	}
	return c.Room
}

// hits are events to use again: each is large, and hits are many.
var hits = sync.Pool{New: func() any { return new(event.Event) }}

// tellHit is the one event of a hit that needed no flight.
func (e *Engine) tellHit(ctx context.Context, c *Call, asked time.Time, place memo.Place, found memo.Found) {
	by := callerOf(ctx)
	is := hits.Get().(*event.Event)
	*is = event.Event{
		Kind: event.Ended, Time: asked.Add(time.Since(asked)), Call: event.NextCall(), Function: c.Function.ID(),
		Asked: asked, Caller: by.uri, CallerCall: by.number, Outcome: event.Hit,
	}
	event.Below(is, place.Store.Root(), place.Path)
	ofResult(is, found)
	e.Events.Send(ctx, is)
	hits.Put(is)
}
