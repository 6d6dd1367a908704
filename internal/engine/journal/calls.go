package journal

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// shards is how many goroutines may count hits of a function at once without
// getting into each other's way, roughly.
const shards = 16

// function is what is counted of one function.
type function struct {
	name   string
	listed atomic.Int64 // hits that want to be listed
	shards [shards]struct {
		mu    sync.Mutex
		hits  int64
		saved []programs.Use
		_     [24]byte // to the end of a cache line
	}

	// Under Journal.mu, without the hits above:
	totals programs.Totals
	used   []programs.Use
	saved  []programs.Use
}

func (f *function) hit(saved programs.Resources, e *event.Event) {
	s := &f.shards[rand.Uint32()%shards]
	s.mu.Lock()
	s.hits++
	s.saved = programs.Charge(s.saved, e.Executor, e.Place.Spot, saved)
	s.mu.Unlock()
}

// sum is all that is counted. Under Journal.mu.
func (f *function) sum() programs.Function {
	all := programs.Function{Name: f.name, Totals: f.totals, Used: slices.Clone(f.used), Saved: slices.Clone(f.saved)}
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		all.Hits += s.hits
		all.Calls += s.hits
		for _, u := range s.saved {
			all.Saved = programs.Add(all.Saved, u)
		}
		s.mu.Unlock()
	}
	all.Listed = min(f.listed.Load(), programs.MostHits)
	return all
}

// open is a call under way, in a list by age.
type open struct {
	programs.Call
	f          *function
	stage      string
	reason     string
	place      executor.Place
	at         float64 // when the attempt began, in seconds since the run's start
	prev, next *open
}

// The stages of calls without a worker; the others are those of workers.
const (
	waiting  = "waiting"
	awaiting = "awaiting"
)

// follow takes an event of a call that is no plain hit. Under mu.
func (j *Journal) follow(f *function, e event.Event) {
	o := j.open[e.Call]
	if o == nil {
		o = &open{Call: j.call(&e), f: f}
		f.totals.Calls++
		if e.Kind != event.Ended {
			j.enlist(o, e.Call)
		}
	}
	switch e.Kind {
	case event.Asked:
		o.Why = e.Why
	case event.Joined:
		if by := cmp.Or(e.Caller, "program"); by != o.Caller && len(o.Joined) < mostJoined && !slices.Contains(o.Joined, by) {
			o.Joined = append(o.Joined, by)
		}
	case event.Waiting:
		o.reason = cmp.Or(e.Why, e.For)
		if e.Wait == event.ForLease {
			o.to(awaiting)
		} else {
			o.to(waiting)
		}
	case event.Started, event.Adopted:
		o.Run, o.Executor, o.reason = e.RunID, e.Executor, ""
		o.at = j.since(e.Time)
		o.Queued, o.Pending, o.Starting, o.Started = 0, 0, 0, 0
		o.locate(e)
		o.reach(string(executor.Starting), o.at)
		if e.Kind == event.Adopted {
			o.reach(string(executor.Running), o.at)
		}
	case event.Stage:
		o.locate(e)
		o.reason = e.Why
		if e.Stage != "" {
			o.reach(string(e.Stage), j.since(e.Time))
		}
	case event.AttemptEnded:
		o.locate(e)
		e.Place = o.place
		if e.Wall == 0 && !e.Unbegun {
			e.Wall = max(e.Time.Sub(j.start)-time.Duration(cmp.Or(o.Started, o.at)*float64(time.Second)), 0)
		}
		o.Resources = resources(&e)
		f.used = programs.Charge(f.used, e.Executor, e.Place.Spot, o.Resources)
		if e.Again {
			a := programs.Attempt{
				Run: o.Run, Executor: o.Executor, Worker: o.Worker, Started: cmp.Or(o.Started, o.at), Ended: j.since(e.Time), Reason: string(e.Reason),
			}
			if e.Err != nil {
				a.Error = programs.Line(e.Err.Error())
			}
			o.Attempts = append(o.Attempts, a)
		}
	case event.Ended:
		j.finish(o, e)
	}
}

// locate takes over where the attempt is and what it may have.
func (o *open) locate(e event.Event) {
	p := e.Place
	if p == (executor.Place{}) {
		return
	}
	o.place = p
	o.Worker, o.Node, o.Spot = p.Host, p.Node, p.Spot
}

// reach says that a worker has come to a stage.
func (o *open) reach(stage string, at float64) {
	if o.stage == stage {
		return
	}
	switch executor.Stage(stage) {
	case executor.Queued:
		o.Queued = cmp.Or(o.Queued, at)
	case executor.Pending:
		o.Pending = cmp.Or(o.Pending, at)
	case executor.Starting:
		o.Starting = at
	case executor.Running:
		o.Started = cmp.Or(o.Started, at)
	}
	o.to(stage)
}

// to counts the call at another stage; "" is none.
func (o *open) to(stage string) {
	o.f.count(o.stage, -1)
	o.stage = stage
	o.f.count(o.stage, +1)
}

func (f *function) count(stage string, by int64) {
	t := &f.totals
	switch stage {
	case waiting:
		t.Waiting += by
	case awaiting:
		t.Awaiting += by
	case string(executor.Queued):
		t.Queued += by
	case string(executor.Pending):
		t.Pending += by
	case string(executor.Starting):
		t.Starting += by
	case string(executor.Running):
		t.Running += by
	}
}

// finish counts and lists a call that has ended.
func (j *Journal) finish(o *open, e event.Event) {
	o.to("")
	j.unlist(o)
	c, t := &o.Call, &o.f.totals
	c.Outcome, c.Ended, c.Memo = string(e.Outcome), j.since(e.Time), e.MemoURI
	c.Run, c.Result = cmp.Or(e.RunID, c.Run), e.Result
	if e.Err != nil {
		c.Error = programs.Line(e.Err.Error())
	}
	took := resources(&e)
	switch e.Outcome {
	case event.Hit:
		t.Hits++
		o.f.saved = programs.Charge(o.f.saved, e.Executor, e.Place.Spot, took)
		o.f.listed.Add(1)
		c.Saved = &programs.Saved{Executor: e.Executor, Spot: e.Place.Spot, Resources: took}
	case event.Computed:
		t.Computed++
		if c.WallSeconds == 0 {
			c.Resources = took
		}
		if c.Started == 0 {
			c.Started = max(c.Ended-c.WallSeconds, c.Asked)
		}
		t.ComputingSeconds += c.WallSeconds
		t.LongestSeconds = max(t.LongestSeconds, c.WallSeconds)
	case event.Awaited:
		t.Awaited++
	case event.Failed:
		t.Failed++
	case event.Cancelled:
		t.Cancelled++
	}
	j.add(*c)
}

// resources are what an attempt took, or the run that made a hit's result, and what
// it asked for.
func resources(e *event.Event) programs.Resources {
	return programs.ResourcesOf(e.Wall, e.CPU, e.PeakMemory, e.Place)
}

// enlist puts a call at the end of the list: it is the youngest. Under mu.
func (j *Journal) enlist(o *open, call uint64) {
	j.open[call] = o
	j.underway.Add(1)
	o.to(waiting)
	if o.prev = j.last; o.prev == nil {
		j.first = o
	} else {
		o.prev.next = o
	}
	j.last = o
}

func (j *Journal) unlist(o *open) {
	if j.open[uint64(o.Call.Call)] != o {
		return
	}
	delete(j.open, uint64(o.Call.Call))
	j.underway.Add(-1)
	if o.prev == nil {
		j.first = o.next
	} else {
		o.prev.next = o.next
	}
	if o.next == nil {
		j.last = o.prev
	} else {
		o.next.prev = o.prev
	}
	o.prev, o.next = nil, nil
}

// view is the call as a state lists it.
func (o *open) view() programs.Open {
	c := o.Call
	return programs.Open{
		Call: c.Call, Function: c.Function, Memo: c.Memo, Caller: c.Caller, Stage: o.stage, Reason: o.reason,
		Asked: c.Asked, Started: c.Started, Run: c.Run, Executor: c.Executor, Worker: c.Worker, Node: c.Node,
	}
}
