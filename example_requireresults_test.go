package mops_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Slow = mops.Define("example/slow", func(ctx context.Context, n int) (int, error) {
	return n, nil
})

// RequireResults runs nothing: in a CI job it proves that all is there already.
func ExampleRequireResults() {
	ctx, end := inMemory()
	defer end()
	_, err := Slow.With(mops.RequireResults()).Call(ctx, 1)
	fmt.Println(errors.Is(err, mops.ErrNoResult))

	fmt.Println(Slow.Call(ctx, 1))
	fmt.Println(Slow.With(mops.RequireResults()).Call(ctx, 1))
	// Output:
	// true
	// 1 <nil>
	// 1 <nil>
}
