// Package progress counts the calls of a process and shows them while they
// last. A [Tracker] counts; a [Display] shows what it counted, as a block that
// is redrawn in place on a terminal and as plain lines elsewhere; [Lines]
// prefixes what workers print. Of mops it knows package text alone: the
// orchestrator reports to the tracker, the root package owns the display.
package progress

import (
	"container/list"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Tracker counts calls, per function. It is safe for concurrent use, and its
// methods and those of its items may be called on nil, which counts nothing.
type Tracker struct {
	functions   atomic.Pointer[map[string]*function] // copied on write: there are few
	outstanding atomic.Int64                         // items without an end
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
	firstMiss, lastEnd time.Time
	computing, longest time.Duration // of the computed calls
	running            list.List     // of *Item, by the start of the run
	why                string        // why one of those that are queued is
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
	f := &function{name: name, first: time.Now()}
	more := maps.Clone(known)
	more[name] = f
	t.functions.Store(&more)
	t.order = append(t.order, f)
	return f
}

// Expect announces n more calls of a function, so that the display can say how
// many are left. Negative n takes back calls that will not be made.
func (t *Tracker) Expect(function string, n int) {
	if t == nil {
		return
	}
	f := t.function(function)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Expected = max(f.counts.Expected+int64(n), 0)
}

// Hit counts a call whose result was there at the first look. It costs some ten
// nanoseconds and allocates nothing.
func (t *Tracker) Hit(function string) {
	if t == nil {
		return
	}
	t.function(function).hits.add()
}

// Begin counts a call whose result was not there. Whoever begins an item ends it.
func (t *Tracker) Begin(function, memoURI string) *Item {
	if t == nil {
		return nil
	}
	f := t.function(function)
	item := &Item{tracker: t, function: f, memoURI: memoURI, state: waiting}
	t.outstanding.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.firstMiss.IsZero() {
		f.firstMiss = time.Now()
	}
	f.counts.Started++
	f.counts.Waiting++
	return item
}
