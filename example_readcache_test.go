package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

// A program that must see what others have refreshed keeps no results on its
// machine; one on a machine with much room may keep more than 1 GiB.
func ExampleReadCache() {
	upToDate := mops.ReadCache(0)
	roomy := mops.ReadCache(20 << 30)
	for _, option := range []mops.EnvOption{upToDate, roomy} {
		env, err := mops.New(context.Background(), mops.Root("mem://reports"), option)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(Double.Call(env.Context(context.Background()), 4))
		env.Close()
	}
	// Output:
	// 8 <nil>
	// 8 <nil>
}
