// Package arguments does not compile: its functions do not have the one input that
// a memoized function takes, or not the one output.
package arguments

import (
	"context"

	"github.com/TrilliantHealth/mops-go"
)

var (
	_ = mops.Define("arguments/two", func(_ context.Context, a, b int) (int, error) { return a + b, nil })
	_ = mops.Define("arguments/none", func(context.Context) (int, error) { return 0, nil })
	_ = mops.Define("arguments/plain", func(a int) int { return a })
)
