package mops_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Parse = mops.Define("example/parse", func(ctx context.Context, text string) (int, error) {
	fmt.Println("parsing", text)
	return 0, errors.New("no number")
})

// A call that failed runs again the next time, unless its error is kept.
func ExampleKeepErrors() {
	ctx, end := inMemory()
	defer end()
	Parse.Call(ctx, "one")
	Parse.Call(ctx, "one")

	kept := Parse.With(mops.KeepErrors())
	_, err := kept.Call(ctx, "one")
	failed, _ := errors.AsType[*mops.FuncError](err)
	fmt.Println("kept:", failed.Message)
	// Output:
	// parsing one
	// parsing one
	// kept: no number
}
