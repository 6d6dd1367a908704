package progress

import (
	"cmp"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
)

// How many single calls a snapshot names.
const (
	maxOldest   = 10
	maxLongest  = 10
	maxFailures = 100
)

// Counts are numbers of calls. Those that are under way wait, or a worker of theirs
// is on its way or runs; all others that started have ended.
type Counts struct {
	Expected  int64 // announced; 0 where nothing was
	Started   int64
	Hits      int64
	Computed  int64
	Awaited   int64 // somebody else computed it
	Failed    int64
	Cancelled int64

	Waiting  int64 // for a slot
	Awaiting int64 // for somebody else
	Queued   int64 // a queueing system or a quota holds the worker back
	Pending  int64 // the worker waits for a place
	Starting int64 // the worker is being made
	Running  int64
}

// Done is how many calls have ended.
func (c Counts) Done() int64 { return c.Hits + c.Computed + c.Awaited + c.Failed + c.Cancelled }

// Total is how many calls there are and will be, as far as is known.
func (c Counts) Total() int64 { return max(c.Expected, c.Started) }

// Outstanding is how many calls are under way.
func (c Counts) Outstanding() int64 {
	return c.Waiting + c.Awaiting + c.Queued + c.Pending + c.Starting + c.Running
}

// Plus is the sum of two.
func (c Counts) Plus(d Counts) Counts {
	return Counts{
		Expected: c.Expected + d.Expected, Started: c.Started + d.Started, Hits: c.Hits + d.Hits,
		Computed: c.Computed + d.Computed, Awaited: c.Awaited + d.Awaited, Failed: c.Failed + d.Failed,
		Cancelled: c.Cancelled + d.Cancelled, Waiting: c.Waiting + d.Waiting, Awaiting: c.Awaiting + d.Awaiting,
		Queued: c.Queued + d.Queued, Pending: c.Pending + d.Pending, Starting: c.Starting + d.Starting, Running: c.Running + d.Running,
	}
}

// Snapshot is what a tracker has counted at one moment. Calls that begin or end
// meanwhile may be in it or not.
type Snapshot struct {
	Time      time.Time
	Functions []Function // in the order of their first calls
	Oldest    []Running  // the ten calls that have run the longest and still do, oldest first
	Longest   []Ended    // the ten calls that ran the longest and have ended, longest first
	Failures  []Ended    // the first hundred, in the order of their ends
}

// Function is what was counted for one function.
type Function struct {
	Name string
	Counts
	First   time.Time // when its first call was made
	LastEnd time.Time // when a call that was no hit last ended; zero for none

	Computing time.Duration // how long the computed calls ran, in total
	Longest   time.Duration // and the longest of them

	// What one of those waits for, for people; "" where nobody knows.
	WaitsFor   string // of Waiting: which slots
	AwaitsWhom string // of Awaiting: who computes it
	QueuedWhy  string // of Queued

	firstMiss time.Time
	oldest    time.Time // since when the call runs that has run the longest and still does; zero for none
}

// Running is a call that runs.
type Running struct {
	Function, MemoURI, RunID, Where string
	Since                           time.Time
}

// Ended is a call that was no hit and has ended.
type Ended struct {
	Function, MemoURI, RunID string
	Outcome                  event.Outcome
	Took                     time.Duration // of its runs; 0 where it never ran here
	Error                    string        // first line, where it failed
}

// endings are the calls worth remembering. Guarded by the tracker's mutex.
type endings struct {
	longest  []Ended // longest first
	failures []Ended
}

func (t *Tracker) note(e Ended) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Outcome == event.Failed && len(t.ended.failures) < maxFailures {
		t.ended.failures = append(t.ended.failures, e)
	}
	longest := t.ended.longest
	if e.Took == 0 || len(longest) == maxLongest && e.Took <= longest[maxLongest-1].Took {
		return
	}
	at, _ := slices.BinarySearchFunc(longest, e, func(a, b Ended) int { return cmp.Compare(b.Took, a.Took) })
	longest = slices.Insert(longest, at, e)
	t.ended.longest = longest[:min(len(longest), maxLongest)]
}

// Snapshot costs microseconds per function, however many calls are under way.
func (t *Tracker) Snapshot() Snapshot {
	t.mu.Lock()
	functions := slices.Clone(t.order)
	s := Snapshot{
		Time:     time.Now(),
		Longest:  slices.Clone(t.ended.longest),
		Failures: slices.Clone(t.ended.failures),
	}
	t.mu.Unlock()
	for _, f := range functions {
		s.Functions = append(s.Functions, f.snapshot())
		s.Oldest = f.appendOldest(s.Oldest)
	}
	slices.SortStableFunc(s.Oldest, func(a, b Running) int { return a.Since.Compare(b.Since) })
	s.Oldest = s.Oldest[:min(len(s.Oldest), maxOldest)]
	return s
}

// Total is the sum over all functions.
func (s Snapshot) Total() (total Function) {
	for _, f := range s.Functions {
		total.Counts = total.Plus(f.Counts)
		total.Computing += f.Computing
		total.Longest = max(total.Longest, f.Longest)
	}
	return total
}

func (f *function) snapshot() Function {
	f.mu.Lock()
	defer f.mu.Unlock()
	hits := f.hits.sum()
	counts := f.counts
	counts.Hits += hits
	counts.Started += hits
	is := Function{
		Name: f.name, Counts: counts, First: f.first, LastEnd: f.lastEnd, firstMiss: f.firstMiss,
		Computing: f.computing, Longest: f.longest,
		WaitsFor: f.whys[waiting], AwaitsWhom: f.whys[awaiting], QueuedWhy: f.whys[queued],
	}
	if front := f.running.Front(); front != nil {
		is.oldest = front.Value.(*item).start
	}
	return is
}

func (f *function) appendOldest(to []Running) []Running {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, at := 0, f.running.Front(); at != nil && n < maxOldest; n, at = n+1, at.Next() {
		i := at.Value.(*item)
		to = append(to, Running{Function: f.name, MemoURI: i.memoURI, RunID: i.runID, Where: i.where, Since: i.start})
	}
	return to
}
