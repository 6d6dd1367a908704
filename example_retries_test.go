package mops_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Unreliable = mops.Define("example/unreliable", func(ctx context.Context, _ struct{}) (string, error) {
	if mops.RunInfo(ctx).Attempt == 1 {
		return "", errors.New("connection reset")
	}
	return "done", nil
})

// Retries runs a function that failed again before the call fails.
func ExampleRetries() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Unreliable.With(mops.Retries(1)).Call(ctx, struct{}{}))
	// Output: done <nil>
}
