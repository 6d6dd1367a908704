package progress

import (
	"container/list"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// Outcome is how a call ended. Engine, summaries and the root package use these
// words.
type Outcome string

// The outcomes.
const (
	Hit       Outcome = "hit"       // the result was there
	Computed  Outcome = "computed"  // this process, or a worker of its, made the result
	Awaited   Outcome = "awaited"   // somebody else made it meanwhile
	Failed    Outcome = "failed"    // with an error
	Cancelled Outcome = "cancelled" // nobody wanted it any more
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

// stages are the states by the names that they have for executors.
var stages = map[string]state{"queued": queued, "pending": pending, "starting": starting, "running": running}

// Item is one call that was no hit. Its fields are guarded by its function's mutex.
type Item struct {
	tracker  *Tracker
	function *function
	memoURI  string
	runID    string
	where    string
	state    state
	start    time.Time     // of its run
	at       *list.Element // of those that run, while it does
}

// Waiting says that the call waits for a slot, as it does from Begin on.
func (i *Item) Waiting() { i.change(waiting) }

// Awaiting says that somebody else computes the call.
func (i *Item) Awaiting() { i.change(awaiting) }

// Starting says that a run of the call begins, and where: on which executor, in
// which pod.
func (i *Item) Starting(runID, where string) { i.run(runID, where, starting) }

// Running says that a run is under way that begins to be seen now.
func (i *Item) Running(runID, where string) { i.run(runID, where, running) }

func (i *Item) run(runID, where string, to state) {
	if i == nil {
		return
	}
	i.function.mu.Lock()
	i.runID, i.where = runID, where
	i.function.mu.Unlock()
	i.change(to)
}

// Stage says how far the run is: "queued", "pending", "starting" or "running".
// The time of the call counts from when it first runs.
func (i *Item) Stage(stage string) {
	if to, ok := stages[stage]; ok {
		i.change(to)
	}
}

// Why says why a run is queued, for people; "" that nobody knows.
func (i *Item) Why(reason string) {
	if i == nil {
		return
	}
	i.function.mu.Lock()
	defer i.function.mu.Unlock()
	if i.state == queued && reason != "" {
		i.function.why = reason
	}
}

// End says how the call ended; err is for those that failed. Further ends of an
// item are ignored.
func (i *Item) End(outcome Outcome, err error) {
	if i == nil {
		return
	}
	ending, first := i.end(outcome)
	if !first {
		return
	}
	if err != nil {
		ending.Error = text.FirstLine(err.Error())
	}
	i.tracker.note(ending)
	if i.tracker.outstanding.Add(-1) == 0 {
		if idle := i.tracker.onIdle.Load(); idle != nil {
			(*idle)()
		}
	}
}

func (i *Item) end(outcome Outcome) (ending Ended, first bool) {
	f := i.function
	f.mu.Lock()
	defer f.mu.Unlock()
	if i.state == ended {
		return Ended{}, false
	}
	i.move(ended)
	now := time.Now()
	f.lastEnd = now
	ending = Ended{Function: f.name, MemoURI: i.memoURI, RunID: i.runID, Outcome: outcome}
	if !i.start.IsZero() {
		ending.Took = now.Sub(i.start)
	}
	c := &f.counts
	switch outcome {
	case Hit:
		c.Hits++
	case Computed:
		c.Computed++
		f.computing += ending.Took
		f.longest = max(f.longest, ending.Took)
	case Awaited:
		c.Awaited++
	case Failed:
		c.Failed++
	case Cancelled:
		c.Cancelled++
	}
	return ending, true
}

func (i *Item) change(to state) {
	if i == nil {
		return
	}
	i.function.mu.Lock()
	defer i.function.mu.Unlock()
	if i.state != ended {
		i.move(to)
	}
}

// move changes the state under the function's mutex.
func (i *Item) move(to state) {
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
	if f.counts.Queued == 0 {
		f.why = ""
	}
	if to == running {
		if i.start.IsZero() {
			i.start = time.Now()
		}
		i.at = f.enlist(i)
	}
}

// enlist puts an item into the list of those that run, by its start: mostly at the end.
func (f *function) enlist(i *Item) *list.Element {
	for before := f.running.Back(); before != nil; before = before.Prev() {
		if !before.Value.(*Item).start.After(i.start) {
			return f.running.InsertAfter(i, before)
		}
	}
	return f.running.PushFront(i)
}
