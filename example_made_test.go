package mops_test

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

func ExampleInfo_Made() {
	env, err := mops.New(context.Background(), mops.Isolated(), mops.Root("mem://made"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer env.Close()
	ctx := env.Context(context.Background())
	if _, err := Shout.Call(ctx, "hello"); err != nil {
		fmt.Println(err)
	}
	_, info, err := Shout.Do(ctx, "hello")
	made := info.Made()
	fmt.Println(info.Outcome, err)
	fmt.Println(made.Executor, made.Program, made.Wall < time.Minute, time.Since(made.Started) < time.Hour)
	// Output:
	// hit <nil>
	// inproc github.com/TrilliantHealth/mops-go.test true true
}
