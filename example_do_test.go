package mops_test

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/TrilliantHealth/mops-go"
)

var Shout = mops.Define("example/shout", func(ctx context.Context, text string) (string, error) {
	return strings.ToUpper(text) + "!", nil
})

// Do tells how a call came to its result, and where its records are.
func ExampleFunc_Do() {
	ctx, end := inMemory()
	defer end()
	for range 2 {
		out, info, err := Shout.Do(ctx, "hello")
		fmt.Println(out, info.Outcome, err)
		fmt.Println("  in", path.Base(path.Dir(info.URI)))
	}
	// Output:
	// HELLO! computed <nil>
	//   in shout@0
	// HELLO! hit <nil>
	//   in shout@0
}
