package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Negate = mops.Define("example/negate", func(ctx context.Context, n int) (int, error) {
	return -n, nil
})

// A new pipeline starts over; the old one keeps its results.
func ExamplePipeline() {
	ctx, end := inMemory()
	defer end()
	for _, pipeline := range []string{"spring", "summer", "spring"} {
		_, info, err := Negate.With(mops.Pipeline(pipeline)).Do(ctx, 1)
		fmt.Println(pipeline, info.Outcome, err)
	}
	// Output:
	// spring computed <nil>
	// summer computed <nil>
	// spring hit <nil>
}
