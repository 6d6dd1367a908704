package mops_test

import (
	"context"
	"flag"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Double = mops.Define("example/double", func(ctx context.Context, n int) (int, error) {
	return 2 * n, nil
})

// A program that has a main of its own calls Init first in it, before flags are
// parsed, since a worker has none, and makes its environment with New.
func ExampleNew() {
	main := func() {
		mops.Init()
		flag.Parse()
		ctx := context.Background()
		env, err := mops.New(ctx, mops.Root("mem://new"))
		if err != nil {
			fmt.Println(err)
			return
		}
		defer env.Close()
		fmt.Println(Double.Call(env.Context(ctx), 21))
	}
	main()
	// Output: 42 <nil>
}
