package otelmops_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	collectorlog "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetric "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/otelmops"
	"github.com/TrilliantHealth/mops-go/otelmops/otlp"
)

// double makes a span of its own and a log line.
var double = mops.Define("test/double", func(ctx context.Context, n int) (int, error) {
	ctx, span := otel.Tracer("test").Start(ctx, "multiply")
	defer span.End()
	mops.Logger(ctx).InfoContext(ctx, "doubling")
	if n < 0 {
		return 0, fmt.Errorf("%d is negative", n)
	}
	return 2 * n, nil
})

// quadruple makes a call in its worker.
var quadruple = mops.Define("test/quadruple", func(ctx context.Context, n int) (int, error) {
	n, err := double.Call(ctx, n)
	if err != nil {
		return 0, err
	}
	return double.Call(ctx, n)
}, mops.Calls(double))

const (
	programVariable = "TEST_PROGRAM"
	stayVariable    = "TEST_STAY"  // workers take one call after another
	moreVariable    = "TEST_MORE"  // hits have spans, and workers send metrics
	hastyVariable   = "TEST_HASTY" // the end of a process waits as it does for users, and no longer
)

// longest is for what takes no time, on a machine that has much else to do.
const longest = 2 * time.Minute

// The test binary is the program under test, and its workers.
func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		var options []otlp.Option
		if os.Getenv(moreVariable) != "" {
			options = []otlp.Option{otlp.WithWorkerMetrics(), otlp.With(otelmops.WithHits())}
		}
		patient := os.Getenv(hastyVariable) == ""
		mops.Main(func(ctx context.Context) error {
			if patient {
				defer handOn(context.Background())
			}
			ctx, span := otel.Tracer("test").Start(ctx, "program")
			defer span.End()
			far := mops.On(subprocess.New())
			if os.Getenv(stayVariable) != "" {
				far = mops.On(subprocess.New(subprocess.Stay(), subprocess.Limit(1)))
			}
			n, err := quadruple.With(far).Call(ctx, 1)
			if err != nil {
				return err
			}
			if _, err := double.With(far).Call(ctx, -n); err == nil {
				return fmt.Errorf("-%d is not negative", n)
			}
			if _, err := quadruple.Call(ctx, 1); err != nil { // a hit
				return err
			}
			fmt.Println("result", n)
			return nil
		}, mops.Progress("off"), mops.LogTo(slog.New(slog.NewTextHandler(os.Stderr, nil))), otlp.Export(options...), mops.Instrument(func(bool) mops.Instruments {
			if !patient {
				return mops.Instruments{}
			}
			return mops.Instruments{Close: handOn, Begin: func(ctx context.Context, _ map[string]string, _ mops.Run) (context.Context, func(error)) {
				return ctx, func(error) { handOn(context.Background()) }
			}}
		}))
	}
	os.Exit(m.Run())
}

// handOn waits until what the process has is sent: at its end, mops waits for a second or
// three, in which a busy machine may not get there.
func handOn(ctx context.Context) {
	for _, provider := range []any{otel.GetTracerProvider(), otel.GetMeterProvider(), otel.GetLoggerProvider()} {
		if p, can := provider.(interface{ ForceFlush(context.Context) error }); can {
			p.ForceFlush(ctx)
		}
	}
}

// folder is one that processes may still write to when the test ends: those that
// stay end after the program, and nobody is told when.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "otelmops-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.Now().Add(longest)
		for err := os.RemoveAll(dir); err != nil; err = os.RemoveAll(dir) {
			if time.Now().After(late) {
				t.Error(err)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return dir
}

// program runs the program under test against a collector.
func program(t *testing.T, endpoint string, env ...string) (out string, took time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), programVariable+"=1", "MOPS_ROOT=file://"+folder(t), "MOPS_STATE="+t.TempDir(), "MOPS_CACHE="+t.TempDir(),
		"OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_SERVICE_NAME=doubler", "OTEL_METRIC_EXPORT_INTERVAL=500", "OTEL_BSP_SCHEDULE_DELAY=50", "GORACE=atexit_sleep_ms=10")
	cmd.Env = append(cmd.Env, env...)
	began := time.Now()
	text, err := cmd.CombinedOutput()
	took = time.Since(began)
	if err != nil || !strings.Contains(string(text), "result 4\n") {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text), took
}

// collector keeps what it gets.
type collector struct {
	*httptest.Server
	got     chan struct{} // has something after each request
	mu      sync.Mutex
	spans   []*spans.Span
	metrics map[string]*metrics.Metric // the last of each name
	senders map[string]bool            // of metrics, by service.instance.id
	logs    []*logs.LogRecord
}

func newCollector(t *testing.T) *collector {
	c := &collector{got: make(chan struct{}, 1000), metrics: map[string]*metrics.Metric{}, senders: map[string]bool{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer func() { c.got <- struct{}{} }()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		var got collectortrace.ExportTraceServiceRequest
		err = proto.Unmarshal(body, &got)
		for _, r := range got.ResourceSpans {
			for _, s := range r.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
	case "/v1/metrics":
		var got collectormetric.ExportMetricsServiceRequest
		err = proto.Unmarshal(body, &got)
		for _, r := range got.ResourceMetrics {
			for _, a := range r.Resource.GetAttributes() {
				if a.Key == "service.instance.id" {
					c.senders[a.Value.GetStringValue()] = true
				}
			}
			for _, s := range r.ScopeMetrics {
				for _, m := range s.Metrics {
					c.metrics[m.Name] = m
				}
			}
		}
	case "/v1/logs":
		var got collectorlog.ExportLogsServiceRequest
		err = proto.Unmarshal(body, &got)
		for _, r := range got.ResourceLogs {
			for _, s := range r.ScopeLogs {
				c.logs = append(c.logs, s.LogRecords...)
			}
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// await waits for the spans of workers and the lines of functions.
func (c *collector) await(t *testing.T, runs, lines int) {
	late := time.After(longest)
	for {
		c.mu.Lock()
		haveRuns, haveLines := 0, 0
		for _, s := range c.spans {
			if strings.HasPrefix(s.Name, "run ") {
				haveRuns++
			}
		}
		for _, l := range c.logs {
			if l.Body.GetStringValue() == "doubling" {
				haveLines++
			}
		}
		c.mu.Unlock()
		if haveRuns >= runs && haveLines >= lines {
			return
		}
		select {
		case <-c.got:
		case <-late:
			t.Errorf("%d workers of %d and %d lines of %d have been told of", haveRuns, runs, haveLines, lines)
			return
		}
	}
}

// path is the names of a span and those above it.
func (c *collector) path(s *spans.Span) string {
	for _, above := range c.spans {
		if len(s.ParentSpanId) > 0 && string(above.SpanId) == string(s.ParentSpanId) {
			return c.path(above) + " > " + s.Name
		}
	}
	if len(s.ParentSpanId) > 0 {
		return "? > " + s.Name
	}
	return s.Name
}

// deaf is a listener that accepts and says nothing.
func deaf(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}
