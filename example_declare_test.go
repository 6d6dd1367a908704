package mops_test

import (
	"context"
	"fmt"
	"math/big"

	"github.com/TrilliantHealth/mops-go"
)

// Go refuses a variable that is initialised by way of itself, so a function
// that calls itself is declared here and implemented in init.
var Factorial = mops.Declare[int64, *big.Int]("example/factorial")

func init() { Factorial.Implement(factorial) }

func factorial(ctx context.Context, n int64) (*big.Int, error) {
	if n <= 1 {
		return big.NewInt(1), nil
	}
	smaller, err := Factorial.Call(ctx, n-1)
	if err != nil {
		return nil, err
	}
	return smaller.Mul(smaller, big.NewInt(n)), nil
}

// Each number on the way is computed once and kept.
func ExampleDeclare() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Factorial.Call(ctx, 20))
	n, info, err := Factorial.Do(ctx, 19)
	fmt.Println(n, info.Outcome, err)
	// Output:
	// 2432902008176640000 <nil>
	// 121645100408832000 hit <nil>
}
