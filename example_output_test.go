package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Search = mops.Define("example/search", func(ctx context.Context, rounds int) (best int, err error) {
	for round := range rounds {
		best = round * round
		fmt.Fprintf(mops.Output(ctx), "round %d: best %d\n", round, best) // kept with the run
	}
	fmt.Println("searched") // not kept: nobody can tell whose it is
	return best, nil
})

// What a function prints to Output is kept with its run: mops logs shows it.
func ExampleOutput() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Search.Call(ctx, 4))
	// Output:
	// searched
	// 9 <nil>
}
