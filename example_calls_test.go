package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

// invoices defines two functions, the second of which calls the first, as in a
// program with this version of Tax.
func invoices(version string, percent int) *mops.Func[int, int] {
	registry := mops.NewRegistry()
	tax := mops.Define("example/tax", func(ctx context.Context, net int) (int, error) {
		return net * percent / 100, nil
	}, mops.Version(version), mops.In(registry))
	return mops.Define("example/total", func(ctx context.Context, net int) (int, error) {
		added, err := tax.Call(ctx, net)
		return net + added, err
	}, mops.Calls(tax), mops.In(registry))
}

// Total names Tax in Calls, so a new version of Tax makes new totals. Without
// Calls the old total would be found: nothing in total itself has changed.
func ExampleCalls() {
	ctx, end := inMemory()
	defer end()
	fmt.Println(invoices("1", 19).Call(ctx, 100))
	fmt.Println(invoices("2", 20).Call(ctx, 100))
	// Output:
	// 119 <nil>
	// 120 <nil>
}
