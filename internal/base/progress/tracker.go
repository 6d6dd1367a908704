// Package progress counts the calls of a process and shows them while they
// last. A [Tracker] counts; a [Display] shows what it counted, as a block that
// is redrawn in place on a terminal and as plain lines elsewhere; [Lines]
// prefixes what workers print. The tracker reads the engine's events; the root
// package owns the display.
package progress

import (
	"container/list"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// Tracker counts calls, per function, from their events. It is safe for
// concurrent use.
type Tracker struct {
	functions   atomic.Pointer[map[string]*function] // copied on write: there are few
	outstanding atomic.Int64                         // calls without an end
	onIdle      atomic.Pointer[func()]               // called when the last one ends

	mu    sync.Mutex
	order []*function // by their first call
	ended endings
}

// NewTracker returns a tracker that has counted nothing.
func NewTracker() *Tracker {
	t := &Tracker{}
	t.functions.Store(&map[string]*function{})
	return t
}

// function is what is counted for one function.
type function struct {
	name  string
	first time.Time
	hits  counter

	mu                 sync.Mutex
	counts             Counts // without the hits above
	items              map[uint64]*item
	firstMiss, lastEnd time.Time
	computing, longest time.Duration      // of the computed calls
	running            list.List          // of *item, by the start of the run
	whys               [queued + 1]string // for what one of those waits, by their state: waiting, awaiting, queued
}

func (t *Tracker) function(name string) *function {
	if f, ok := (*t.functions.Load())[name]; ok {
		return f
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.functions.Load()
	if f, ok := known[name]; ok {
		return f
	}
	f := &function{name: name, first: time.Now(), items: map[uint64]*item{}}
	more := maps.Clone(known)
	more[name] = f
	t.functions.Store(&more)
	t.order = append(t.order, f)
	return f
}

// Expect announces n more calls of a function, so that the display can say how
// many are left. Negative n takes back calls that will not be made.
func (t *Tracker) Expect(function string, n int) {
	f := t.function(function)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Expected = max(f.counts.Expected+int64(n), 0)
}

// Observe takes an event. A hit costs some ten nanoseconds and allocates nothing.
func (t *Tracker) Observe(e *event.Event) {
	name, _, _ := strings.Cut(e.Function, "@")
	f := t.function(name)
	if e.Outcome == event.Hit {
		f.hits.add()
		return
	}
	switch e.Kind {
	case event.Asked:
		t.outstanding.Add(1)
		f.begin(*e)
	case event.Ended:
		is, begun := f.end(*e)
		if e.Err != nil {
			is.Error = text.FirstLine(e.Err.Error())
		}
		t.note(is)
		if begun && t.outstanding.Add(-1) == 0 {
			if idle := t.onIdle.Load(); idle != nil {
				(*idle)()
			}
		}
	default:
		f.observe(*e)
	}
}
