// Command fibonacci is the quickstart: a function that calls itself through
// mops, so that each number is computed once, by anybody who shares the root.
package main

import (
	"context"
	"fmt"
	"math/big"

	"github.com/TrilliantHealth/mops-go"
)

var Fibonacci = mops.Declare[int, *big.Int]("examples/fibonacci")

func init() { Fibonacci.Implement(fibonacci) }

func fibonacci(ctx context.Context, n int) (*big.Int, error) {
	if n < 2 {
		return big.NewInt(int64(n)), nil
	}
	a, err := Fibonacci.Call(ctx, n-1)
	if err != nil {
		return nil, err
	}
	b, err := Fibonacci.Call(ctx, n-2)
	if err != nil {
		return nil, err
	}
	return a.Add(a, b), nil
}

func main() {
	mops.Main(func(ctx context.Context) error {
		f, info, err := Fibonacci.Do(ctx, 100)
		if err != nil {
			return err
		}
		fmt.Printf("fibonacci(100) = %v (%s)\n", f, info.Outcome)
		return nil
	})
}
