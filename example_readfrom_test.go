package mops_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go"
)

// A function gets a better name, and keeps what it computed under the old one.
// (A program has the one or the other; the registries stand for the program
// before and after the change.)
func ExampleReadFrom() {
	ctx, end := inMemory()
	defer end()
	before := mops.Define("example/calc2", func(ctx context.Context, days int) (int, error) {
		return 24 * days, nil
	}, mops.In(mops.NewRegistry()))
	_, info, err := before.Do(ctx, 7)
	oldHome, _, _ := strings.Cut(info.URI, "@0/") // mem://examples/mops1/…/example/calc2
	fmt.Println(info.Outcome, err)

	after := mops.Define("example/hours", func(ctx context.Context, days int) (int, error) {
		return 0, errors.New("not needed")
	}, mops.ReadFrom(oldHome+"@0"), mops.In(mops.NewRegistry()))
	hours, info, err := after.Do(ctx, 7)
	fmt.Println(hours, info.Outcome, err)
	// Output:
	// computed <nil>
	// 168 hit <nil>
}
