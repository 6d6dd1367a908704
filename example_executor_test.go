package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// Executor gives an executor a name, by which a config file chooses it:
//
//	[function."forecast/train"]
//	executor = "careful"
func ExampleExecutor() {
	careful := subprocess.New(subprocess.Limit(1), subprocess.Env("GOMAXPROCS=1"))
	env, err := mops.New(context.Background(), mops.Executor("careful", careful), mops.Root("mem://executor"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(env.Close())
	// Output: <nil>
}
