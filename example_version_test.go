package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

func rateOf2025(ctx context.Context, days int) (int, error) { return 40 * days, nil }
func rateOf2026(ctx context.Context, days int) (int, error) { return 45 * days, nil }

// The version says what a function means. When its results change, change it:
// the old results stay, under the old version. (A program has one version of a
// function; the registries stand for the program before and after the change.)
func ExampleVersion() {
	ctx, end := inMemory()
	defer end()
	before := mops.Define("example/rate", rateOf2025, mops.Version("2025"), mops.In(mops.NewRegistry()))
	after := mops.Define("example/rate", rateOf2026, mops.Version("2026"), mops.In(mops.NewRegistry()))
	fmt.Println(before.Call(ctx, 10))
	fmt.Println(after.Call(ctx, 10))
	// Output:
	// 400 <nil>
	// 450 <nil>
}
