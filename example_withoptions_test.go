package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var (
	Inner = mops.Define("example/inner", func(ctx context.Context, n int) (int, error) {
		return n + 1, nil
	})
	Outer = mops.Define("example/outer", func(ctx context.Context, n int) (string, error) {
		sum, info, err := Inner.Do(ctx, n)
		return fmt.Sprintf("%d (%s)", sum, info.Outcome), err
	}, mops.Calls(Inner))
)

// Options on a context hold for all calls made with it, and for the calls that
// their functions make: here Inner, two functions down.
func ExampleWithOptions() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Inner.Call(ctx, 1))
	fmt.Println(Outer.Call(ctx, 1))
	again := mops.WithOptions(ctx, mops.Pipeline("another"))
	fmt.Println(Outer.Call(again, 1))
	// Output:
	// 2 <nil>
	// 2 (hit) <nil>
	// 2 (computed) <nil>
}
