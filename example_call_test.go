package mops_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

// Several arguments are the fields of a struct.
type Division struct{ Dividend, Divisor int }

var Divide = mops.Define("example/divide", func(ctx context.Context, in Division) (int, error) {
	if in.Divisor == 0 {
		return 0, errors.New("division by zero")
	}
	return in.Dividend / in.Divisor, nil
})

// An error of the function comes back as a *FuncError, which names the call.
func ExampleFunc_Call() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(Divide.Call(ctx, Division{84, 2}))

	_, err := Divide.Call(ctx, Division{84, 0})
	if failed, ok := errors.AsType[*mops.FuncError](err); ok {
		fmt.Println(failed.Function, "failed:", failed.Message)
	}
	// Output:
	// 42 <nil>
	// example/divide failed: division by zero
}
