package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

// A field tagged mops:"-" is no part of the memo key: what must not change the
// result, such as a connection or how much is logged.
type Query struct {
	Table   string
	Verbose bool `mops:"-"`
}

var Rows = mops.Define("example/rows", func(ctx context.Context, q Query) (int, error) {
	fmt.Println("verbose:", q.Verbose)
	return len(q.Table), nil
})

// The function gets the field from the caller; this works in process only.
func Example_fieldOutOfKey() {
	ctx, end := inMemory()
	defer end()
	_, info, err := Rows.Do(ctx, Query{Table: "people", Verbose: true})
	fmt.Println(info.Outcome, err)
	_, info, err = Rows.Do(ctx, Query{Table: "people", Verbose: false})
	fmt.Println(info.Outcome, err)
	// Output:
	// verbose: true
	// computed <nil>
	// hit <nil>
}
