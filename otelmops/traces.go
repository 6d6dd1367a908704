package otelmops

import (
	"context"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
)

// traces makes spans of the calls of an environment.
type traces struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	hits       bool

	mu    sync.Mutex
	calls map[uint64]*tracedCall // under way
}

// tracedCall are the spans of a call. Its events come one at a time.
type tracedCall struct {
	call    trace.Span // nil until it is asked
	in      context.Context
	attempt trace.Span // nil between attempts
	during  context.Context
	wait    trace.Span // nil where it waits for nothing
	state   string
	joined  []trace.Span // of further callers
}

// of is the call of an event, made if need be.
func (t *traces) of(e mops.Event) *tracedCall {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.calls[e.Call]
	if c == nil {
		c = new(tracedCall)
		t.calls[e.Call] = c
	}
	return c
}

// take is the call of an event, which is its last.
func (t *traces) take(e mops.Event) *tracedCall {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.calls[e.Call]
	delete(t.calls, e.Call)
	return c
}

// trace is mops.Instruments.Trace.
func (t *traces) trace(ctx context.Context, e mops.Event) context.Context {
	switch e.Kind {
	case mops.CallEnded:
		t.ended(ctx, e)
		return ctx
	case mops.CallJoined:
		c := t.of(e)
		options := []trace.SpanStartOption{trace.WithTimestamp(e.Asked), trace.WithAttributes(functionKey.String(e.Function), uriKey.String(e.MemoURI))}
		if c.call != nil {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: c.call.SpanContext()}))
		}
		_, span := t.tracer.Start(ctx, "call "+e.Function, options...)
		c.joined = append(c.joined, span)
		return ctx
	case mops.CallAsked:
		c := t.of(e)
		c.in, c.call = t.startCall(ctx, e)
		if e.Why != "" {
			c.call.SetAttributes(whyKey.String(e.Why))
		}
		return c.in
	}
	c := t.of(e)
	if c.call == nil { // it was handed over to another
		return ctx
	}
	switch e.Kind {
	case mops.AttemptStarted, mops.AttemptAdopted:
		t.changes(c, e)
		ctx = t.startAttempt(ctx, c, e)
		c.state = "" // it may be queued within the attempt
		t.changes(c, e)
	case mops.AttemptEnded:
		t.changes(c, e)
		c.endAttempt(e)
	case mops.CallTakenOver:
		c.call.AddEvent("taken over", trace.WithTimestamp(e.Time), trace.WithAttributes(runKey.String(e.RunID), hostKey.String(e.Place.Host)))
	default:
		t.changes(c, e)
	}
	return ctx
}

func (t *traces) startCall(ctx context.Context, e mops.Event) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, "call "+e.Function, trace.WithTimestamp(e.Asked),
		trace.WithAttributes(functionKey.String(e.Function), uriKey.String(e.MemoURI)))
}

// startAttempt returns the context of the attempt.
func (t *traces) startAttempt(ctx context.Context, c *tracedCall, e mops.Event) context.Context {
	if e.Kind == mops.AttemptAdopted {
		ctx = c.in // the worker is in the trace of whoever started it
	}
	kind := trace.SpanKindClient // of the worker's run
	if e.Stage == executor.Running && e.Worker == "" {
		kind = trace.SpanKindInternal
	}
	c.during, c.attempt = t.tracer.Start(ctx, "attempt "+e.Function, trace.WithTimestamp(e.Time), trace.WithSpanKind(kind), trace.WithAttributes(
		functionKey.String(e.Function), executorKey.String(e.Executor), attemptKey.Int(e.Attempt), runKey.String(e.RunID), leaseKey.String(e.LeaseID)))
	if e.Kind == mops.AttemptAdopted {
		c.attempt.SetAttributes(adoptedKey.Bool(true))
	}
	return c.during
}

func (c *tracedCall) endAttempt(e mops.Event) {
	if c.attempt == nil {
		return
	}
	set := func(key attribute.Key, value string) {
		if value != "" {
			c.attempt.SetAttributes(key.String(value))
		}
	}
	set(workerKey, e.Worker)
	set(hostKey, e.Place.Host)
	set(nodeKey, e.Place.Node)
	c.attempt.SetAttributes(took(e)...)
	if e.Detached {
		c.attempt.SetAttributes(detachedKey.Bool(true))
	}
	if e.Err != nil {
		fail(c.attempt, e)
	}
	c.attempt.End(trace.WithTimestamp(e.Time))
	c.attempt, c.during = nil, nil
}

// changes ends the span of what was waited for, and begins that of what is waited for
// now.
func (t *traces) changes(c *tracedCall, e mops.Event) {
	now, news := state(e)
	if !news {
		return
	}
	if now == string(executor.Running) {
		now = ""
	}
	if now == c.state {
		if c.wait != nil && e.Why != "" {
			c.wait.AddEvent(e.Why, trace.WithTimestamp(e.Time))
		}
		return
	}
	c.state = now
	if c.wait != nil {
		c.wait.End(trace.WithTimestamp(e.Time))
		c.wait = nil
	}
	if now == "" {
		return
	}
	in := c.in
	if c.attempt != nil {
		in = c.during
	}
	attributes := []attribute.KeyValue{functionKey.String(e.Function), waitKey.String(now)}
	if e.For != "" {
		attributes = append(attributes, waitForKey.String(e.For))
	}
	if e.Why != "" {
		attributes = append(attributes, whyKey.String(e.Why))
	}
	_, c.wait = t.tracer.Start(in, waitName(now), trace.WithTimestamp(e.Time), trace.WithAttributes(attributes...))
}

func waitName(state string) string {
	switch state {
	case string(mops.WaitSlot), string(mops.WaitLease), string(mops.WaitRetry):
		return "wait for " + state
	}
	return state // the worker is queued, pending or starting
}

// ended ends all that is open of a call. A call of which nothing was told before is a
// hit, or failed before it was computed.
func (t *traces) ended(ctx context.Context, e mops.Event) {
	c := t.take(e)
	if c == nil {
		c = new(tracedCall)
	}
	if c.call == nil && (e.Outcome != mops.Hit || t.hits) {
		_, c.call = t.startCall(ctx, e)
	}
	t.changes(c, e)
	c.endAttempt(e)
	if c.call != nil {
		c.joined = append(c.joined, c.call)
	}
	for _, span := range c.joined {
		span.SetAttributes(outcomeKey.String(string(e.Outcome)), runKey.String(e.RunID))
		span.SetAttributes(took(e)...)
		if e.Outcome == mops.Failed {
			fail(span, e)
		}
		span.End(trace.WithTimestamp(e.Time))
	}
}

func took(e mops.Event) (attributes []attribute.KeyValue) {
	if e.Wall > 0 {
		attributes = append(attributes, wallKey.Float64(e.Wall.Seconds()))
	}
	if e.CPU > 0 {
		attributes = append(attributes, cpuKey.Float64(e.CPU.Seconds()))
	}
	if e.PeakMemory > 0 {
		attributes = append(attributes, memoryKey.Int64(e.PeakMemory))
	}
	return attributes
}

// fail says why. Errors may be long; the store has all of it.
func fail(span trace.Span, e mops.Event) {
	span.SetAttributes(errorKey.String(errorType(e)))
	span.SetStatus(codes.Error, brief(e.Err))
}

const mostMessage = 1000

func brief(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	if len(line) > mostMessage {
		line = strings.ToValidUTF8(line[:mostMessage], "") + "…"
	}
	return line
}

// carry is mops.Instruments.Carry.
func (t *traces) carry(ctx context.Context) map[string]string {
	carried := propagation.MapCarrier{}
	t.propagator.Inject(ctx, carried)
	return carried
}

// begin is mops.Instruments.Begin.
func (t *traces) begin(ctx context.Context, carried map[string]string, run mops.Run) (context.Context, func(error)) {
	ctx = t.propagator.Extract(ctx, propagation.MapCarrier(carried))
	ctx, span := t.tracer.Start(ctx, "run "+run.Function, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		functionKey.String(run.Function), uriKey.String(run.URI), runKey.String(run.ID), attemptKey.Int(run.Attempt)))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, brief(err))
		}
		span.End()
	}
}
