package otelmops

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/TrilliantHealth/mops-go"
)

// scope names what makes the spans and metrics.
const scope = "github.com/TrilliantHealth/mops-go/otelmops"

// Option changes what [Instrument] does.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	loggers    log.LoggerProvider
	propagator propagation.TextMapPropagator
	hits       bool
}

// WithTracerProvider sets who makes spans. Default: otel.GetTracerProvider.
func WithTracerProvider(p trace.TracerProvider) Option { return func(c *config) { c.tracers = p } }

// WithMeterProvider sets who makes metrics. Default: otel.GetMeterProvider.
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// WithLoggerProvider sets who gets what mops and functions log, beside the logger of
// the environment. Default: otel.GetLoggerProvider.
func WithLoggerProvider(p log.LoggerProvider) Option { return func(c *config) { c.loggers = p } }

// WithPropagator sets what travels from a call to its worker, where people who may
// look at a Job can read it. Default: propagation.TraceContext, the ids of the W3C.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(c *config) { c.propagator = p }
}

// WithHits gives hits spans, too. It costs each of them some microseconds.
func WithHits() Option { return func(c *config) { c.hits = true } }

// Instrument has an environment make spans, metrics and log records; the package says
// which. Give it to [mops.Main], [mops.Init] or [mops.New], and set the program's
// providers up before: workers get there, too.
//
// When the environment is closed, and before the process of a worker ends, the
// providers are told to hand on what they have (ForceFlush), for at most 3 s in a
// program and 1 s in a worker. They are not shut down.
func Instrument(options ...Option) mops.EnvOption {
	return mops.Instrument(func(worker bool) mops.Instruments { return New(worker, options...) })
}

// New makes the instruments of [Instrument], for those who have more to do when an
// environment begins or ends.
func New(worker bool, options ...Option) mops.Instruments {
	c := config{
		tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider(), loggers: otel.GetLoggerProvider(),
		propagator: propagation.TraceContext{},
	}
	for _, option := range options {
		option(&c)
	}
	t := &traces{tracer: c.tracers.Tracer(scope), propagator: c.propagator, hits: c.hits, calls: map[uint64]*tracedCall{}}
	m := newMetrics(c.meters.Meter(scope))
	patience := 3 * time.Second
	if worker {
		patience = time.Second
	}
	return mops.Instruments{
		Observe: m.observe, Over: m.over,
		Trace: t.trace, Carry: t.carry, Begin: t.begin,
		Log: func(next slog.Handler) slog.Handler {
			bridge := otelslog.NewHandler(scope, otelslog.WithLoggerProvider(c.loggers))
			return slog.NewMultiHandler(NewHandler(next), bridge)
		},
		Close: func(ctx context.Context) { flush(ctx, patience, c.tracers, c.meters, c.loggers) },
	}
}

// flush has providers hand on what they have, side by side.
func flush(ctx context.Context, patience time.Duration, providers ...any) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var flushing sync.WaitGroup
	for _, p := range providers {
		if p, can := p.(interface{ ForceFlush(context.Context) error }); can {
			flushing.Go(func() { _ = p.ForceFlush(ctx) }) // whoever set it up hears of errors
		}
	}
	flushing.Wait()
}
