package otelmops

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
)

// metrics counts what happens to calls. mops tells it one event at a time.
type metrics struct {
	calls       metric.Int64Counter
	call        metric.Float64Histogram
	active      metric.Int64UpDownCounter
	wait        metric.Float64Histogram
	attempt     metric.Float64Histogram
	run, cpu    metric.Float64Histogram
	memory      metric.Int64Histogram
	recomputed  metric.Int64Counter
	saved       metric.Float64Counter
	store       metric.Float64Histogram
	missed      metric.Int64Counter
	leases      leases
	open        map[uint64]*openCall
	ended, hits map[series]metric.MeasurementOption // made once for each: hits are many
}

// openCall is a call that is under way.
type openCall struct {
	function string
	state    string
	since    time.Time // in this state
	started  time.Time // of its attempt
	leased   bool      // this process holds its lease
}

// series are attributes of calls that ended.
type series struct {
	function string
	outcome  mops.Outcome
	failure  string
}

// Bounds of histograms: of what takes from microseconds to hours, of requests, and of
// memory.
var (
	durations = metric.WithExplicitBucketBoundaries(.0001, .001, .01, .1, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4*3600, 24*3600)
	requests  = metric.WithExplicitBucketBoundaries(.00005, .0005, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 60)
	memories  = metric.WithExplicitBucketBoundaries(64<<20, 256<<20, 1<<30, 2<<30, 4<<30, 8<<30, 16<<30, 32<<30, 64<<30, 256<<30)
)

func newMetrics(meter metric.Meter) *metrics {
	seconds := func(name, what string, bounds metric.HistogramOption) metric.Float64Histogram {
		h, _ := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), bounds) // of errors, the provider tells
		return h
	}
	count := func(name, unit, what string) metric.Int64Counter {
		c, _ := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		return c
	}
	m := &metrics{
		calls:      count("mops.calls", "{call}", "calls that ended"),
		call:       seconds("mops.call.duration", "from a call to its end", durations),
		wait:       seconds("mops.wait.duration", "what calls wait for before their functions run", durations),
		attempt:    seconds("mops.attempt.duration", "from the hand-over of a call to an executor to the end of that attempt", durations),
		run:        seconds("mops.run.duration", "from the beginning of a function to its end", durations),
		cpu:        seconds("mops.run.cpu.time", "user and system time of the process of a function", durations),
		recomputed: count("mops.recomputed", "{run}", "what was computed again"),
		store:      seconds("mops.store.operation.duration", "requests to blob stores", requests),
		missed:     count("mops.events.missed", "{event}", "events that these metrics do not count, since there were too many at once"),
		leases:     newLeases(meter), open: map[uint64]*openCall{}, ended: map[series]metric.MeasurementOption{}, hits: map[series]metric.MeasurementOption{},
	}
	m.memory, _ = meter.Int64Histogram("mops.run.memory.peak", metric.WithUnit("By"), metric.WithDescription("peak memory of the process of a function"), memories)
	m.active, _ = meter.Int64UpDownCounter("mops.call.active", metric.WithUnit("{call}"), metric.WithDescription("calls that are under way"))
	m.saved, _ = meter.Float64Counter("mops.saved.time", metric.WithUnit("s"), metric.WithDescription("how long the functions ran whose results were hits"))
	return m
}

var background = context.Background()

// observe is mops.Instruments.Observe.
func (m *metrics) observe(e mops.Event) {
	if e.Missed > 0 {
		m.missed.Add(background, int64(e.Missed))
		for number, c := range m.open { // nobody knows which of them have ended
			m.changes(c, "", e.Time)
			m.leases.hold(c, false)
			delete(m.open, number)
		}
	}
	c := m.open[e.Call]
	switch e.Kind {
	case mops.CallEnded:
		m.callEnded(e)
	case mops.AttemptEnded:
		m.attemptEnded(c, e)
	case mops.CallTakenOver:
		m.again(e, "taken_over")
		m.leases.change(e, "taken_over")
	case mops.CallAsked:
		if e.Why != "" {
			m.again(e, "stale")
		}
	}
	now, news := state(e)
	if !news || c == nil && now == "" {
		return
	}
	if c == nil {
		c = &openCall{function: e.Function, since: e.Time}
		m.open[e.Call] = c
	}
	if e.Kind == mops.AttemptStarted || e.Kind == mops.AttemptAdopted {
		c.started = e.Time
	}
	m.changes(c, now, e.Time)
	m.leases.follow(c, e)
	if e.Kind == mops.CallEnded {
		delete(m.open, e.Call)
	}
}

// changes counts that a call is in another state.
func (m *metrics) changes(c *openCall, now string, at time.Time) {
	if now == c.state {
		return
	}
	function := functionKey.String(c.function)
	if c.state != "" {
		m.active.Add(background, -1, metric.WithAttributes(function, stateKey.String(c.state)))
	}
	if c.state != "" && c.state != string(executor.Running) {
		m.wait.Record(background, at.Sub(c.since).Seconds(), metric.WithAttributes(function, waitKey.String(c.state)))
	}
	if now != "" {
		m.active.Add(background, 1, metric.WithAttributes(function, stateKey.String(now)))
	}
	c.state, c.since = now, at
}

func (m *metrics) callEnded(e mops.Event) {
	s := series{function: e.Function, outcome: e.Outcome}
	if e.Outcome == mops.Failed {
		s.failure = errorType(e)
	}
	with, known := m.ended[s]
	if !known {
		attributes := []attribute.KeyValue{functionKey.String(s.function), outcomeKey.String(string(s.outcome))}
		if s.failure != "" {
			attributes = append(attributes, errorKey.String(s.failure))
		}
		with = metric.WithAttributeSet(attribute.NewSet(attributes...))
		m.ended[s] = with
	}
	m.calls.Add(background, 1, with)
	m.call.Record(background, e.Time.Sub(e.Asked).Seconds(), with)
	if e.Outcome == mops.Hit && e.Wall > 0 {
		of := series{function: e.Function}
		if with, known = m.hits[of]; !known {
			with = metric.WithAttributeSet(attribute.NewSet(functionKey.String(e.Function)))
			m.hits[of] = with
		}
		m.saved.Add(background, e.Wall.Seconds(), with)
	}
}

func (m *metrics) attemptEnded(c *openCall, e mops.Event) {
	with := []attribute.KeyValue{functionKey.String(e.Function), executorKey.String(e.Executor)}
	ran := metric.WithAttributes(with...)
	if e.Err != nil {
		with = append(with, errorKey.String(errorType(e)))
	}
	if c != nil && !c.started.IsZero() {
		m.attempt.Record(background, e.Time.Sub(c.started).Seconds(), metric.WithAttributes(with...))
	}
	if e.Wall > 0 {
		m.run.Record(background, e.Wall.Seconds(), ran)
	}
	if e.CPU > 0 {
		m.cpu.Record(background, e.CPU.Seconds(), ran)
	}
	if e.PeakMemory > 0 {
		m.memory.Record(background, e.PeakMemory, ran)
	}
	if e.Again {
		m.again(e, "retry")
	}
}

func (m *metrics) again(e mops.Event, reason string) {
	m.recomputed.Add(background, 1, metric.WithAttributes(functionKey.String(e.Function), recomputeKey.String(reason)))
}
