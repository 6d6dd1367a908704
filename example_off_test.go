package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Greet = mops.Define("example/greet", func(ctx context.Context, name string) (string, error) {
	fmt.Println("composing a greeting")
	return "Hello, " + name, nil
})

// Off calls the function itself; nothing is looked up and nothing is kept.
func ExampleOff() {
	ctx, end := inMemory()
	defer end()
	plain := mops.WithOptions(ctx, mops.Off())
	fmt.Println(Greet.Call(plain, "Ada"))
	fmt.Println(Greet.Call(plain, "Ada"))
	// Output:
	// composing a greeting
	// Hello, Ada <nil>
	// composing a greeting
	// Hello, Ada <nil>
}
