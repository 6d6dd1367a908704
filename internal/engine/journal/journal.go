// Package journal keeps the run of this program in a root while it goes on: it
// reads the events of calls, and writes what package programs defines. The root
// package makes one for each environment, the workers' environments too.
//
// A journal may lose what it has, and never holds up a call: it has one goroutine,
// which writes every few seconds; what a store that is away does not take waits in
// bounded memory, and then is dropped, counted, and said.
package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// Options are what a journal works with.
type Options struct {
	Head   programs.Head // with the id of the run; the root comes with the first call
	Worker string        // the run id of the call whose function makes the calls; "" in the program itself
	Open   func(ctx context.Context, root string) (*blob.Store, error)
	Logger *slog.Logger
}

// Journal is safe for concurrent use. The methods of a nil Journal do nothing.
type Journal struct {
	Options
	start time.Time

	started atomic.Bool // the goroutine that writes

	root atomic.Pointer[string] // as the settings of the first call name it
	at   atomic.Pointer[place]  // set once the root is open
	off  atomic.Bool            // nothing can be kept

	functions atomic.Pointer[map[string]*function] // copied on write: there are few
	underway  atomic.Int64                         // calls in open

	mu      sync.Mutex
	order   []*function // by their first call
	open    map[uint64]*open
	first   *open // the oldest of those, which are a list
	last    *open
	ended   []programs.Call // to be written
	dropped int64
	fields  map[string]any
	closed  bool

	wake   chan struct{}      // there is much to be written
	opened chan struct{}      // closed when the root is open, or cannot be
	stop   context.CancelFunc // ends the goroutine that writes
	done   sync.WaitGroup     // that goroutine

	writer programs.Writer // of that goroutine; after it, of Close
	begun  bool            // the head is written
	tried  bool            // the head may be written: the answer did not come
	said   bool            // that the store is away
}

// place is where the run is kept.
type place struct {
	address string // opens the root again elsewhere
	prefix  string // of the memo URIs of its calls
}

// New makes a journal. It writes nothing before [Journal.In] says where, and before
// something happened.
func New(o Options) *Journal {
	j := &Journal{
		Options: o, start: o.Head.Start, open: map[uint64]*open{},
		wake: make(chan struct{}, 1), opened: make(chan struct{}), stop: func() {},
	}
	j.functions.Store(&map[string]*function{})
	return j
}

// In says where the run is kept: in the root of the first call that may write
// there. Later calls of In change nothing, and cost a nanosecond.
func (j *Journal) In(root string) {
	if j == nil || j.root.Load() != nil || strings.HasPrefix(root, "mem:") { // which nobody else can see
		return
	}
	first := root // or each call would pay for the memory
	j.root.CompareAndSwap(nil, &first)
}

// begins starts the goroutine that writes.
func (j *Journal) begins() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.started.Load() || j.closed {
		return
	}
	j.started.Store(true)
	var ctx context.Context
	ctx, j.stop = context.WithCancel(context.Background())
	j.done.Go(func() { j.keep(ctx) })
}

// Address opens the root of the run again, for workers; "" if the run is not kept.
// It waits until the root is open.
func (j *Journal) Address(ctx context.Context) string {
	if j == nil || !j.started.Load() {
		return ""
	}
	select {
	case <-j.opened:
	case <-ctx.Done():
	}
	if at := j.at.Load(); at != nil && !j.off.Load() {
		return at.address
	}
	return ""
}

// Record keeps a field of the user's. It encodes the value at once.
func (j *Journal) Record(key string, value any) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fields == nil {
		j.fields = map[string]any{}
	}
	j.fields[key] = Field(value)
}

// Field is a value of the user's as JSON, or, where JSON cannot encode it, a text
// that says so.
func Field(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		text, _ = json.Marshal(fmt.Sprintf("not recorded: %v", err))
	}
	return text
}

// Bounds of what waits to be written.
const (
	manyEnded  = 5_000   // calls that are written without waiting for the next time
	mostEnded  = 50_000  // calls that wait; what is more is dropped
	mostLines  = 8 << 20 // bytes of one segment
	writeTime  = 20 * time.Second
	closeTime  = 5 * time.Second
	mostJoined = 10
)

// state is what was counted so far.
func (j *Journal) state() programs.State {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := programs.State{At: programs.Seconds(time.Since(j.start)), Dropped: j.dropped, Fields: maps.Clone(j.fields)}
	for _, f := range j.order {
		s.Functions = append(s.Functions, f.sum())
	}
	for o := j.first; o != nil && len(s.Open) < programs.MostOpen; o = o.next {
		view := o.view()
		view.Memo, view.Caller = j.relative(view.Memo), j.relative(view.Caller)
		s.Open = append(s.Open, view)
	}
	return s
}

// relative is a memo URI as the record of the run has it.
func (j *Journal) relative(uri string) string {
	if at := j.at.Load(); at != nil {
		return strings.TrimPrefix(uri, at.prefix)
	}
	return uri
}

// function finds what is counted of a function.
func (j *Journal) function(name string) *function {
	if f, ok := (*j.functions.Load())[name]; ok {
		return f
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	known := *j.functions.Load()
	if f, ok := known[name]; ok {
		return f
	}
	f := &function{name: name}
	more := maps.Clone(known)
	more[name] = f
	j.functions.Store(&more)
	j.order = append(j.order, f)
	return f
}

// add is for calls that are to be listed. Under mu.
func (j *Journal) add(c programs.Call) {
	if j.off.Load() || j.closed {
		return
	}
	if len(j.ended) >= mostEnded {
		j.dropped++
		return
	}
	j.ended = append(j.ended, c)
	if len(j.ended) == manyEnded {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
}

// Observe reads an event. It is for [event.Stream.Direct].
func (j *Journal) Observe(e *event.Event) {
	if !j.started.Load() && j.root.Load() != nil {
		j.begins()
	}
	f := j.function(e.Function)
	if e.Kind == event.Ended && e.Outcome == event.Hit && !j.isOpen(e.Call) {
		j.hit(f, e)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.follow(f, *e)
}

func (j *Journal) isOpen(call uint64) bool {
	if j.underway.Load() == 0 {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.open[call] != nil
}

// hit counts a hit, and lists it if it is one of the first.
func (j *Journal) hit(f *function, e *event.Event) {
	saved := resources(e)
	f.hit(saved, e)
	if f.listed.Load() >= programs.MostHits || f.listed.Add(1) > programs.MostHits {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.call(e)
	c.Saved = &programs.Saved{Executor: e.Executor, Spot: e.Place.Spot, Resources: saved}
	j.add(c)
}

// call is what an end says of a call.
func (j *Journal) call(e *event.Event) programs.Call {
	event.Complete(e)
	return programs.Call{
		Call: int64(e.Call), Function: e.Function, Memo: e.MemoURI, Caller: e.Caller,
		Outcome: string(e.Outcome), Asked: j.since(e.Asked), Ended: j.since(e.Time), Run: e.RunID,
	}
}

// since is a time as the record has it.
func (j *Journal) since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return programs.Seconds(max(t.Sub(j.start), time.Microsecond))
}
