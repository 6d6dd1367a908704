package mops_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/TrilliantHealth/mops-go"
)

var Invert = mops.Define("example/invert", func(ctx context.Context, n int) (float64, error) {
	if n == 0 {
		return 0, fmt.Errorf("%d has no inverse", n)
	}
	return 1 / float64(n), nil
})

// Each yields results as they come; an error ends its own call only.
func ExampleFunc_Each() {
	ctx, end := inMemory()
	defer end()
	for r := range Invert.Each(ctx, slices.Values([]int{2, 0, 4})) {
		fmt.Println(r.Index, r.In, r.Out, r.Err == nil)
	}
	// Unordered output:
	// 0 2 0.5 true
	// 1 0 0 false
	// 2 4 0.25 true
}
