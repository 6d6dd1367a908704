package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Length = mops.Define("example/length", func(ctx context.Context, text string) (int, error) {
	return len(text), nil
})

// ReadOnly uses the results of others and leaves none of its own.
func ExampleReadOnly() {
	ctx, end := inMemory()
	defer end()
	readOnly := Length.With(mops.ReadOnly())
	for range 2 {
		_, info, err := readOnly.Do(ctx, "four")
		fmt.Println(info.Outcome, err)
	}
	// Output:
	// computed <nil>
	// computed <nil>
}
