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

	"golang.org/x/sync/errgroup"

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
	said   bool            // that the store is away
}

// place is where the run is kept.
type place struct {
	address string // opens the root again elsewhere
	prefix  string // of the memo URIs of its calls
}

// New makes a journal. It writes nothing before [Journal.In] says where.
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
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closed && j.root.CompareAndSwap(nil, &root) {
		var ctx context.Context
		ctx, j.stop = context.WithCancel(context.Background())
		j.done.Go(func() { j.keep(ctx) })
	}
}

// Address opens the root of the run again, for workers; "" if the run is not kept.
// It waits until the root is open.
func (j *Journal) Address(ctx context.Context) string {
	if j == nil || j.root.Load() == nil {
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

// keep is the goroutine that writes.
func (j *Journal) keep(ctx context.Context) {
	j.writer = programs.Writer{ID: j.Head.ID, Worker: j.Worker}
	if !j.openRoot(ctx) {
		return
	}
	if j.Worker == "" { // so that others see it at once
		j.write(ctx, j.begin)
	}
	for next := time.NewTimer(programs.Interval(0)); ; {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		case <-j.wake:
		}
		j.write(ctx, j.begin)
		j.write(ctx, j.flush)
		if j.off.Load() {
			return
		}
		next.Reset(programs.Interval(time.Since(j.start)))
	}
}

func (j *Journal) openRoot(ctx context.Context) bool {
	defer close(j.opened)
	store, err := j.Open(ctx, *j.root.Load())
	if err != nil {
		if ctx.Err() == nil { // if so, calls say it, too
			j.giveUp(err)
		}
		return false
	}
	j.writer.Store = store
	j.at.Store(&place{address: store.Address(), prefix: store.Root() + "/"})
	return true
}

// write does one thing that writes.
func (j *Journal) write(ctx context.Context, do func(context.Context) error) {
	if j.off.Load() {
		return
	}
	within, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	err := do(within)
	switch {
	case err == nil, ctx.Err() != nil:
	case blob.Is(err, blob.Denied), blob.Is(err, blob.Invalid), blob.Is(err, blob.Exists):
		j.giveUp(err)
	case !j.said:
		j.said = true
		j.Logger.Debug("the record of this run waits for the store", "run", j.Head.ID, "error", err)
	}
}

// giveUp keeps nothing from now on.
func (j *Journal) giveUp(err error) {
	j.off.Store(true)
	j.mu.Lock()
	j.ended = nil
	j.mu.Unlock()
	if j.Worker == "" {
		j.Logger.Warn("no record of this run is kept: mops runs and mops summary will not show it; option Runs(false) or MOPS_RUNS=off does without", "root", *j.root.Load(), "error", err)
	}
}

func (j *Journal) begin(ctx context.Context) error {
	if j.begun || j.Worker != "" {
		return nil
	}
	head := j.Head
	head.Root = j.writer.Store.Root()
	err := j.writer.Begin(ctx, head)
	j.begun = err == nil
	return err
}

// flush writes what has come.
func (j *Journal) flush(ctx context.Context) error {
	if j.writer.Pending() > 0 {
		if err := j.writer.Retry(ctx); err != nil {
			return err
		}
	}
	for {
		lines, more := j.take()
		if err := j.writer.Append(ctx, j.state(), lines); err != nil || !more {
			return err
		}
	}
}

// take encodes the calls that are to be written, as far as they fit into a segment.
func (j *Journal) take() (lines []byte, more bool) {
	j.mu.Lock()
	calls := j.ended
	j.ended = nil
	j.mu.Unlock()
	for i, c := range calls {
		if len(lines) > mostLines {
			j.mu.Lock()
			j.ended = append(calls[i:], j.ended...)
			j.mu.Unlock()
			return lines, true
		}
		c.Memo, c.Caller = j.relative(c.Memo), j.relative(c.Caller)
		for i, uri := range c.Joined {
			c.Joined[i] = j.relative(uri)
		}
		lines = programs.Encode(lines, c)
	}
	return lines, false
}

// Close writes what is left and how the run ended, within 5 s. It returns when the
// journal has no goroutine any more. Closing again does nothing.
func (j *Journal) Close(exit int, cancelled bool, failure string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.mu.Unlock()
	if closed {
		return
	}
	j.stop()
	j.done.Wait()
	if j.writer.Store == nil {
		return
	}
	defer j.writer.Store.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if j.off.Load() {
		return
	}
	err := j.end(ctx, exit, cancelled, failure)
	j.mu.Lock()
	dropped := j.dropped
	j.mu.Unlock()
	switch {
	case err != nil:
		j.Logger.Warn("the record of this run is not complete: the store did not take its end", "run", j.Head.ID, "error", err)
	case dropped > 0:
		j.Logger.Warn("the record of this run does not list all of its calls: the store was away for too long", "run", j.Head.ID, "calls", dropped)
	}
}

// end writes all at once: a short program waits for one answer.
func (j *Journal) end(ctx context.Context, exit int, cancelled bool, failure string) error {
	state := j.state()
	if j.Worker != "" {
		if len(state.Functions) == 0 {
			return nil
		}
		return j.flush(ctx)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return j.begin(ctx) })
	group.Go(func() error { return j.flush(ctx) })
	group.Go(func() error {
		return j.writer.End(ctx, programs.End{End: time.Now().UTC(), Exit: exit, Cancelled: cancelled, Error: failure, State: state})
	})
	return group.Wait()
}

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
func (j *Journal) Observe(e event.Event) {
	f := j.function(e.Function)
	if e.Kind == event.Ended && e.Outcome == event.Hit && !j.isOpen(e.Call) {
		j.hit(f, e)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.follow(f, e)
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
func (j *Journal) hit(f *function, e event.Event) {
	saved := resources(e)
	f.hit(saved, e)
	if f.listed.Load() >= programs.MostHits || f.listed.Add(1) > programs.MostHits {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.call(e)
	c.Saved = &programs.Saved{Executor: e.Executor, Resources: saved}
	j.add(c)
}

// call is what an end says of a call.
func (j *Journal) call(e event.Event) programs.Call {
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
