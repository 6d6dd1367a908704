// Package otlp sets OpenTelemetry up for a program of mops and its workers, and sends
// spans, metrics and log records to a collector, by OTLP over HTTP:
//
//	func main() {
//		mops.Main(run, otlp.Export())
//	}
//
// The standard variables apply, among them OTEL_EXPORTER_OTLP_ENDPOINT (default:
// http://localhost:4318), OTEL_SERVICE_NAME (default: the name of the program),
// OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_METRIC_EXPORT_INTERVAL, the BSP
// ones, OTEL_TRACES_EXPORTER=none and its like, and OTEL_SDK_DISABLED. Workers on other
// machines need them, too.
//
// A program does not notice whether a collector is there. What cannot be sent is
// dropped; the log says so once. The end of the program waits for at most 3 s, that of
// a worker for 1 s, and both hardly at all once the program has seen that nobody
// listens.
package otlp

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/otelmops"
)

// Option changes what [Export] does.
type Option func(*config)

type config struct {
	workerMetrics bool
	more          []otelmops.Option
}

// WithWorkerMetrics has workers send metrics, too: of the calls that functions make,
// and of their requests to stores. Each process of a worker then has series of its
// own, under a service.instance.id of its own, so it is for few and long-lived ones.
func WithWorkerMetrics() Option { return func(c *config) { c.workerMetrics = true } }

// With passes options on to [otelmops.Instrument].
func With(options ...otelmops.Option) Option {
	return func(c *config) { c.more = append(c.more, options...) }
}

// Export has the calls of a program, and all else in it that uses OpenTelemetry, send
// to a collector. It sets the global providers and propagator when the first
// environment is made, for as long as the process lives.
func Export(options ...Option) mops.EnvOption {
	var c config
	for _, option := range options {
		option(&c)
	}
	return mops.Instrument(func(worker bool) mops.Instruments {
		if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
			return mops.Instruments{}
		}
		once.Do(func() { setUp(!worker || c.workerMetrics) })
		made := otelmops.New(worker, c.more...)
		log := made.Log
		made.Log = func(next slog.Handler) slog.Handler {
			trouble.tellTo(slog.New(next), worker)
			return log(next)
		}
		carry, begin, closing := made.Carry, made.Begin, made.Close
		made.Carry = func(ctx context.Context) map[string]string {
			carried := carry(ctx)
			if sending.fails.Load() {
				carried[failsKey] = "1"
			}
			return carried
		}
		made.Begin = func(ctx context.Context, carried map[string]string, run mops.Run) (context.Context, func(error)) {
			if carried[failsKey] != "" {
				sending.fails.Store(true)
			}
			return begin(ctx, carried, run)
		}
		made.Close = func(ctx context.Context) {
			if sending.fails.Load() {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, lastTry)
				defer cancel()
			}
			closing(ctx)
		}
		return made
	})
}

var once sync.Once

// setUp sets the global providers.
func setUp(metrics bool) {
	otel.SetErrorHandler(trouble)
	ctx := context.Background() // nothing is sent or waited for
	from := ourResource(ctx)
	if wanted("OTEL_TRACES_EXPORTER") {
		if to, err := otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig(again))); err != nil {
			trouble.Handle(err)
		} else {
			sending.SpanExporter = to
			otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithResource(from), sdktrace.WithBatcher(sending, queue()...)))
		}
	}
	if !metrics {
		otel.SetMeterProvider(noop.NewMeterProvider())
	} else if wanted("OTEL_METRICS_EXPORTER") {
		if to, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig(again))); err != nil {
			trouble.Handle(err)
		} else {
			otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithResource(from), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(to))))
		}
	}
	if wanted("OTEL_LOGS_EXPORTER") {
		if to, err := otlploghttp.New(ctx, otlploghttp.WithRetry(otlploghttp.RetryConfig(again))); err != nil {
			trouble.Handle(err)
		} else {
			otel.SetLoggerProvider(sdklog.NewLoggerProvider(sdklog.WithResource(from), sdklog.WithProcessor(sdklog.NewBatchProcessor(to))))
		}
	}
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
}

// again is brief: what is sent next will show whether somebody listens.
var again = otlptracehttp.RetryConfig{Enabled: true, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: time.Second}

// sending notes whether the last spans could be sent. If not, a program tells its
// workers, and nobody waits at the end as if somebody listened.
var sending = new(watched)

type watched struct {
	sdktrace.SpanExporter
	fails atomic.Bool
}

func (w *watched) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := w.SpanExporter.ExportSpans(ctx, spans)
	w.fails.Store(err != nil)
	return err
}

const (
	failsKey = "mops-otlp-fails"      // is carried
	lastTry  = 100 * time.Millisecond // for the end, where sending has failed
)

// queue is larger than usual: thousands of calls may end at once.
func queue() []sdktrace.BatchSpanProcessorOption {
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") != "" {
		return nil
	}
	return []sdktrace.BatchSpanProcessorOption{sdktrace.WithMaxQueueSize(20_000)}
}

func wanted(variable string) bool { return !strings.EqualFold(os.Getenv(variable), "none") }

func ourResource(ctx context.Context) *resource.Resource {
	name := "unknown_service"
	if path, err := os.Executable(); err == nil {
		name = filepath.Base(path)
	}
	r, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(name), semconv.ServiceInstanceID(uuid.NewString())),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(), resource.WithFromEnv())
	if err != nil {
		trouble.Handle(err)
	}
	return r
}

// trouble says once that something could not be sent.
var trouble = new(errorHandler)

type errorHandler struct {
	mu     sync.Mutex
	log    *slog.Logger
	level  slog.Level
	said   atomic.Bool
	before error // anybody listened
}

// tellTo sets who is told. A thousand workers need not say it all.
func (h *errorHandler) tellTo(log *slog.Logger, worker bool) {
	h.mu.Lock()
	h.log, h.level = log, slog.LevelWarn
	if worker {
		h.level = slog.LevelDebug
	}
	before := h.before
	h.before = nil
	h.mu.Unlock()
	if before != nil {
		h.Handle(before)
	}
}

// Handle takes an error of OpenTelemetry.
func (h *errorHandler) Handle(err error) {
	h.mu.Lock()
	log, level := h.log, h.level
	if log == nil {
		h.before = errors.Join(h.before, err)
	}
	h.mu.Unlock()
	if log == nil || errors.Is(err, context.Canceled) || h.said.Swap(true) {
		return
	}
	log.Log(context.Background(), level, "OpenTelemetry cannot send what it has; the program goes on without, and this is not said again", "error", err)
}
