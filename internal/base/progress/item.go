package progress

import (
	"container/list"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
)

type state uint8

const (
	waiting  state = iota // for a slot
	awaiting              // for somebody else's result
	queued                // the others are stages of a worker; see executor.Stage
	pending
	starting
	running
	ended
)

var stages = map[executor.Stage]state{
	"": starting, executor.Queued: queued, executor.Pending: pending, executor.Starting: starting, executor.Running: running,
}

// item is one call that was no hit. Its fields are guarded by its function's mutex.
type item struct {
	function *function
	memoURI  string
	runID    string
	where    string
	state    state
	start    time.Time     // of its run: when it first ran
	at       *list.Element // of those that run, while it does
}

// begin takes the first event of a call that is no hit.
func (f *function) begin(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items[e.Call] = f.item(e)
}

func (f *function) item(e event.Event) *item {
	if f.firstMiss.IsZero() {
		f.firstMiss = e.Time
	}
	f.counts.Started++
	f.counts.Waiting++
	return &item{function: f, memoURI: e.MemoURI, state: waiting}
}

// observe takes an event between the first and the last.
func (f *function) observe(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.items[e.Call]
	switch {
	case i == nil:
	case e.Kind == event.Waiting && e.Wait == event.ForLease:
		i.move(awaiting, e.Time)
		i.because(e.For)
	case e.Kind == event.Waiting:
		i.move(waiting, e.Time)
		if e.Wait == event.ForRetry {
			e.Why = "before another try"
		}
		i.because(e.Why)
	case e.Kind == event.Started:
		i.runID, i.where = e.RunID, e.Executor
		i.move(stages[e.Stage], e.Time)
	case e.Kind == event.Adopted:
		i.runID, i.where = e.RunID, e.Worker
		i.move(stages[e.Stage], e.Time)
	case e.Kind == event.Stage:
		i.move(stages[e.Stage], e.Time)
		if i.state == queued {
			i.because(e.Why)
		}
	}
}

// end takes the last event of a call that is no hit. It may be the only one: then
// the call had not begun.
func (f *function) end(e event.Event) (is Ended, begun bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, begun := f.items[e.Call]
	if !begun {
		i = f.item(e)
	}
	delete(f.items, e.Call)
	i.move(ended, e.Time)
	f.lastEnd = e.Time
	is = Ended{Function: f.name, MemoURI: i.memoURI, RunID: i.runID, Outcome: e.Outcome}
	if !i.start.IsZero() {
		is.Took = e.Time.Sub(i.start)
	}
	c := &f.counts
	switch e.Outcome {
	case event.Computed:
		c.Computed++
		f.computing += is.Took
		f.longest = max(f.longest, is.Took)
	case event.Awaited:
		c.Awaited++
	case event.Failed:
		c.Failed++
	case event.Cancelled:
		c.Cancelled++
	}
	return is, begun
}

func (i *item) move(to state, now time.Time) {
	if i.state == to {
		return
	}
	f := i.function
	count := func(s state, by int64) {
		if s != ended {
			c := &f.counts
			*[...]*int64{&c.Waiting, &c.Awaiting, &c.Queued, &c.Pending, &c.Starting, &c.Running}[s] += by
		}
	}
	if i.state == running {
		f.running.Remove(i.at)
	}
	count(i.state, -1)
	i.state = to
	count(to, +1)
	for s, n := range [...]int64{waiting: f.counts.Waiting, awaiting: f.counts.Awaiting, queued: f.counts.Queued} {
		if n == 0 {
			f.whys[s] = ""
		}
	}
	if to == running {
		if i.start.IsZero() {
			i.start = now
		}
		i.at = f.enlist(i)
	}
}

// because notes why the calls of the function that are where this one is are there: it
// is the same for most.
func (i *item) because(why string) {
	if why != "" {
		i.function.whys[i.state] = why
	}
}

// enlist puts an item into the list of those that run, by its start: mostly at the end.
func (f *function) enlist(i *item) *list.Element {
	for before := f.running.Back(); before != nil; before = before.Prev() {
		if !before.Value.(*item).start.After(i.start) {
			return f.running.InsertAfter(i, before)
		}
	}
	return f.running.PushFront(i)
}
