package otelmops_test

import (
	"strings"
	"testing"

	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/otelmops"
)

// A program that has providers of its own sets nothing that is global.
func TestProvidersOfOnesOwn(t *testing.T) {
	recorder, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	env, err := mops.New(t.Context(), mops.Isolated(), mops.Root("file://"+t.TempDir()), otelmops.Instrument(
		otelmops.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))),
		otelmops.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
		otelmops.WithLoggerProvider(lognoop.NewLoggerProvider()),
		otelmops.WithPropagator(propagation.TraceContext{}),
		otelmops.WithHits(),
	))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := double.Call(env.Context(t.Context()), 4); err != nil || n != 8 {
			t.Fatal(n, err)
		}
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, span := range recorder.Ended() {
		if span.Name() == "call test/double@0" {
			calls++
		}
	}
	if calls != 3 {
		t.Errorf("%d spans of calls, want one, and two of hits", calls)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	ended := int64(0)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "mops.calls" {
				for _, point := range sum.DataPoints {
					ended += point.Value
				}
			}
		}
	}
	if ended != 3 {
		t.Errorf("%d calls are counted", ended)
	}
}

func TestMoreIsSent(t *testing.T) {
	c := newCollector(t)
	program(t, c.URL, moreVariable+"=1")
	c.await(t, 2, 3)
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := 0
	for _, s := range c.spans {
		if strings.HasPrefix(c.path(s), "program > call test/quadruple@0") && s.Name == "call test/quadruple@0" {
			calls++
		}
	}
	if calls != 2 {
		t.Errorf("%d spans of a call and its hit", calls)
	}
	if len(c.senders) < 3 {
		t.Errorf("a program and two workers sent metrics as %v", c.senders)
	}
}
