package mops_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

var Survey = mops.Define("example/survey", func(ctx context.Context, year int) (string, error) {
	return "", errors.New("that takes a year")
})

// Inject stores a result from elsewhere, where the call finds it.
func ExampleFunc_Inject() {
	ctx, end := inMemory()
	defer end()
	if err := Survey.Inject(ctx, 1910, "92 million people"); err != nil {
		fmt.Println(err)
	}
	out, info, err := Survey.Do(ctx, 1910)
	fmt.Println(out, info.Outcome, err)
	// Output: 92 million people hit <nil>
}
