package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Hello = mops.Define("example/hello", func(ctx context.Context, name string) (string, error) {
	return "Hello, " + name, nil
})

// Main is a program's whole main function.
func ExampleMain() {
	run := func(ctx context.Context) error {
		greeting, err := Hello.Call(ctx, "world")
		fmt.Println(greeting)
		return err
	}
	mops.Main(run, mops.Root("file:///data/mops"), mops.Pipeline("greetings"))
}
