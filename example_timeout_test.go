package mops_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

var Ponder = mops.Define("example/ponder", func(ctx context.Context, question string) (int, error) {
	<-ctx.Done() // a function in this process must heed its context
	return 0, context.Cause(ctx)
}, mops.Timeout(20*time.Millisecond))

// Timeout bounds each run of a function. A run that takes longer fails for a
// reason that is not the function's: an *ExecError.
func ExampleTimeout() {
	ctx, end := inMemory()
	defer end()
	_, err := Ponder.Call(ctx, "life, the universe and everything")
	if failed, ok := errors.AsType[*mops.ExecError](err); ok {
		fmt.Println(failed.Reason)
	}
	// Output: DeadlineExceeded
}
