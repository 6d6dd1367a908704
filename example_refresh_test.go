package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var price = 10 // a function that reads it is not pure

var Quote = mops.Define("example/quote", func(ctx context.Context, pieces int) (int, error) {
	return pieces * price, nil
})

// Refresh computes one call again and replaces its result: for a result that is
// known to be wrong. Where the function has changed, change its Version.
func ExampleRefresh() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Quote.Call(ctx, 3))
	price = 12
	fmt.Println(Quote.Call(ctx, 3))
	fmt.Println(Quote.With(mops.Refresh()).Call(ctx, 3))
	fmt.Println(Quote.Call(ctx, 3))
	// Output:
	// 30 <nil>
	// 30 <nil>
	// 36 <nil>
	// 36 <nil>
}
