package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Fit = mops.Define("example/fit", func(ctx context.Context, points []float64) (mean float64, err error) {
	for _, p := range points {
		mean += p / float64(len(points))
	}
	mops.Record(ctx, "points", len(points)) // for people; mops inspect shows it
	mops.Logger(ctx).Debug("fitted", "points", len(points))
	fmt.Println("run", mops.RunInfo(ctx).Function, "attempt", mops.RunInfo(ctx).Attempt)
	return mean, nil
})

// Record keeps a field with the run; it is no part of the result.
func ExampleRecord() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Fit.Call(ctx, []float64{1, 2, 6}))
	// Output:
	// run example/fit@0 attempt 1
	// 3 <nil>
}
