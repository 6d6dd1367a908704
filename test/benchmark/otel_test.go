package benchmark

import (
	"context"
	"fmt"
	"testing"

	lognoop "go.opentelemetry.io/otel/log/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/otelmops"
)

// A hit in a program that has spans and metrics made by OpenTelemetry's SDK, and sends
// them nowhere, against one in a program without.
func BenchmarkOpenTelemetryHit(b *testing.B) {
	for _, way := range []struct {
		name    string
		budget  float64
		options []otelmops.Option
	}{{"usual", 1.2, nil}, {"spans", 2.2, []otelmops.Option{otelmops.WithHits()}}} {
		for _, goroutines := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", way.name, goroutines), func(b *testing.B) {
				spans := sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
				b.Cleanup(func() { spans.Shutdown(context.Background()) })
				options := append([]otelmops.Option{
					otelmops.WithTracerProvider(spans), otelmops.WithLoggerProvider(lognoop.NewLoggerProvider()),
					otelmops.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))),
				}, way.options...)
				root := mops.Root("file://" + b.TempDir())
				with, _ := environment(b, root, otelmops.Instrument(options...))
				without, _ := environment(b, root)
				const calls = 512
				for i := range calls {
					must(small.Call(with, numbered(i)))
				}
				ours := func(i int) { must(small.Call(with, numbered(max(i, 0)%calls))) }
				bare := func(i int) { must(small.Call(without, numbered(max(i, 0)%calls))) }
				compare(b, 8, goroutines*64, way.budget, sideBySide(goroutines, 64, ours), sideBySide(goroutines, 64, bare))
			})
		}
	}
}
