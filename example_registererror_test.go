package mops_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

// Shortage is an error that callers look into.
type Shortage struct {
	Item    string
	Missing int
}

func (s *Shortage) Error() string { return fmt.Sprintf("%d %s missing", s.Missing, s.Item) }

func init() { mops.RegisterError[*Shortage]() }

var Order = mops.Define("example/order", func(ctx context.Context, n int) (string, error) {
	if n > 5 {
		return "", fmt.Errorf("no order: %w", &Shortage{"bolts", n - 5})
	}
	return "ordered", nil
})

// An error whose type is registered comes back as itself, from wherever the
// function ran; others come back as text.
func ExampleRegisterError() {
	ctx, end := inMemory()
	defer end()
	_, err := Order.Call(ctx, 8)
	if shortage, ok := errors.AsType[*Shortage](err); ok {
		fmt.Println(shortage.Missing, "too few", shortage.Item)
	}
	// Output: 3 too few bolts
}
