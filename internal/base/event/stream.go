package event

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Stream hands events to observers, which are added before the first event. Send
// is safe for concurrent use, and may be called on nil, which has no observer.
type Stream struct {
	traces []Trace
	direct []func(*Event)
	queues []*queue
}

// Trace follows a call through contexts. It is called as Direct's observers are,
// with the context in which the event happened: with Asked and Joined the caller's,
// with Started and Ended the call's, which is the caller's if nothing changed it;
// else none.
// What it returns with Asked is the context of the call from then on, and with
// Started that of the attempt.
type Trace func(context.Context, Event) context.Context

// Traced adds a Trace.
func (s *Stream) Traced(trace Trace) { s.traces = append(s.traces, trace) }

// Direct adds an observer that is called at once, on the goroutine of the call
// and from many at the same time: it takes less than a microsecond, never waits
// and never panics. It neither keeps the event nor changes it, but to [Complete] it.
func (s *Stream) Direct(observe func(*Event)) { s.direct = append(s.direct, observe) }

// Queued adds an observer that may be slow and may panic. It gets its events in
// order, on a goroutine of its own, which Close waits for. Up to 10,000 wait for
// it; what is more is dropped, see Event.Missed.
func (s *Stream) Queued(observe func(Event), logger *slog.Logger) {
	q := &queue{observe: observe, log: logger, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.queues = append(s.queues, q)
	go q.run()
}

// Send hands an event, which happened in ctx, to all observers, and returns the
// context for what follows; see [Trace]. It does not keep e.
func (s *Stream) Send(ctx context.Context, e *Event) context.Context {
	if s == nil {
		return ctx
	}
	for _, trace := range s.traces {
		Complete(e)
		ctx = trace(ctx, *e)
	}
	for _, observe := range s.direct {
		observe(e)
	}
	for _, q := range s.queues {
		q.put(e)
	}
	return ctx
}

// Close ends the stream when the observers have taken what waits for them, and at
// the latest after 5 s. It says, once, which of them missed something.
func (s *Stream) Close() {
	if s == nil {
		return
	}
	for _, q := range s.queues {
		q.close()
	}
	deadline := time.After(drainTime)
	for _, q := range s.queues {
		select {
		case <-q.done:
		case <-deadline:
			deadline = time.After(0) // for the others, too
		}
		q.sayMissed()
	}
}

const (
	mostQueued = 10_000
	drainTime  = 5 * time.Second

	// An observer looks for events now and then as long as there are some: waking
	// its goroutine costs the call that does it more than all else.
	lookEvery = 10 * time.Millisecond
	idleAfter = 100 // looks that found nothing, until it has to be woken
)

// queue is what waits for one observer.
type queue struct {
	observe func(Event)
	log     *slog.Logger
	wake    chan struct{}
	done    chan struct{} // closed when the goroutine has ended

	// Used by the goroutine alone:
	batch    []Event // being handed over
	next     int     // of the batch
	vain     int     // looks in a row that found nothing
	panicked bool

	handed atomic.Uint64

	mu      sync.Mutex
	waiting []Event
	missed  uint64 // dropped since the last event that was taken
	sent    uint64 // all, those that were dropped, too
	idle    bool   // the goroutine has to be woken
	closed  bool
}

func (q *queue) put(e *Event) {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return
	case len(q.waiting) == mostQueued:
		q.missed++
	default:
		q.waiting = append(q.waiting, *e)
		q.waiting[len(q.waiting)-1].Missed, q.missed = q.missed, 0
	}
	q.sent++
	wake := q.idle || len(q.waiting) == mostQueued/2
	q.idle = false
	q.mu.Unlock()
	if wake {
		q.rouse()
	}
}

func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.rouse()
}

func (q *queue) sayMissed() {
	q.mu.Lock()
	sent := q.sent
	q.mu.Unlock()
	if n := sent - q.handed.Load(); n > 0 {
		q.log.Warn("an observer was slower than the calls and missed events: let it do less, or hand on what takes long", "missed", n)
	}
}

// run hands events over until the stream is closed. An observer may end its
// goroutine; then the next one goes on.
func (q *queue) run() {
	ended := false
	defer func() {
		if !ended {
			go q.run()
			return
		}
		close(q.done)
	}()
	for q.more() {
		for q.next < len(q.batch) {
			q.next++
			q.hand(&q.batch[q.next-1])
		}
	}
	ended = true
}

func (q *queue) hand(e *Event) {
	defer func() {
		if p := recover(); p != nil && !q.panicked {
			q.panicked = true
			q.log.Error("an observer of calls panicked; it gets what follows all the same", "event", e.Kind, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	q.handed.Add(1)
	Complete(e)
	q.observe(*e)
}

// more waits for the next batch. It returns false when the stream is closed and
// nothing is left.
func (q *queue) more() bool {
	for q.next == len(q.batch) { // else an observer ended the last goroutine
		var found, idle, closed bool
		if found, idle, closed = q.take(); found {
			return true
		}
		switch {
		case closed:
			return false
		case idle:
			<-q.wake
			continue
		}
		look := time.NewTimer(lookEvery)
		select {
		case <-q.wake:
		case <-look.C:
		}
		look.Stop()
	}
	return true
}

func (q *queue) take() (found, idle, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.batch)
	if len(q.waiting) > 0 {
		q.batch, q.waiting = q.waiting, q.batch[:0]
		q.next, q.vain = 0, 0
		return true, false, q.closed
	}
	q.batch, q.next = q.batch[:0], 0
	if q.vain++; q.vain > idleAfter && !q.closed {
		q.idle, q.batch, q.waiting = true, nil, nil // memory, too
	}
	return false, q.idle, q.closed
}
