package otlp_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/otelmops/otlp"
)

// Train's spans are in the trace of its caller, in another process, too.
var Train = mops.Define("example/train", func(ctx context.Context, rows int) (float64, error) {
	ctx, span := otel.Tracer("example").Start(ctx, "fit")
	defer span.End()
	return fit(ctx, rows)
}, mops.On(subprocess.New()))

// The function main of a program.
func ExampleExport() {
	run := func(ctx context.Context) error {
		ctx, span := otel.Tracer("example").Start(ctx, "program")
		defer span.End()
		score, err := Train.Call(ctx, 1000)
		fmt.Println(score)
		return err
	}
	mops.Main(run, otlp.Export())
}

func fit(context.Context, int) (float64, error) { return 0.9, nil }
