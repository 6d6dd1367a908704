package mops_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go"
)

var Words = mops.Define("example/words", func(ctx context.Context, text string) (int, error) {
	return len(strings.Fields(text)), nil
})

// Start begins a call; the program goes on meanwhile.
func ExampleFunc_Start() {
	ctx, end := inMemory()
	defer end()
	call, err := Words.Start(ctx, "to be or not to be")
	if err != nil {
		fmt.Println(err)
		return
	}
	// … other work …
	n, err := call.Wait(ctx)
	fmt.Println(n, call.Info().Outcome, err)
	// Output: 6 computed <nil>
}
