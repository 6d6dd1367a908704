package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Triple = mops.Define("example/triple", func(ctx context.Context, n int) (int, error) {
	return 3 * n, nil
})

// All calls side by side and returns the results in the order of the inputs.
func ExampleFunc_All() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Triple.All(ctx, []int{1, 2, 3, 4}, mops.Concurrency(2)))
	// Output: [3 6 9 12] <nil>
}
