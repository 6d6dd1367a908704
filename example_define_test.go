package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

// Square is what programs call.
var Square = mops.Define("example/square", square)

// square is an ordinary function: a test can call it without mops.
func square(ctx context.Context, n int) (int, error) {
	fmt.Println("computing", n)
	return n * n, nil
}

// The second call finds the result of the first.
func ExampleDefine() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Square.Call(ctx, 12))
	fmt.Println(Square.Call(ctx, 12))
	// Output:
	// computing 12
	// 144 <nil>
	// 144 <nil>
}
