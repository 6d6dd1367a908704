package mops_test

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

var Halve = mops.Define("example/halve", func(ctx context.Context, n float64) (float64, error) {
	return n / 2, nil
})

// With returns a copy with more options, for calls that need them. Options that
// belong together are grouped by Join.
func ExampleFunc_With() {
	ctx, end := inMemory()
	defer end()
	careful := mops.Join(mops.Timeout(time.Minute), mops.Retries(3))
	halve := Halve.With(careful, mops.Pipeline("careful"))
	_, info, err := halve.Do(ctx, 5)
	fmt.Println(info.Outcome, err)
	_, info, err = Halve.Do(ctx, 5) // another pipeline: computed again
	fmt.Println(info.Outcome, err)
	// Output:
	// computed <nil>
	// computed <nil>
}
