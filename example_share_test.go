package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

// Rates are by currency. A big table is read by many calls.
type Rates map[string]float64

type Amount struct {
	Rates    mops.Shared[Rates]
	Currency string
	Value    float64
}

var InEuros = mops.Define("example/in-euros", func(ctx context.Context, in Amount) (float64, error) {
	rates, err := in.Rates.Get(ctx) // the same for all calls in this process: not to be changed
	if err != nil {
		return 0, err
	}
	return in.Value / rates[in.Currency], nil
})

// A value that many calls get is shared: it is encoded, stored, downloaded and
// decoded once, and each call is as small as the rest of its input.
func ExampleShare() {
	ctx, end := inMemory()
	defer end()
	rates := mops.Share(Rates{"CHF": 0.5, "NOK": 10, "EUR": 1})
	var amounts []Amount
	for _, currency := range []string{"CHF", "EUR", "NOK"} {
		amounts = append(amounts, Amount{rates, currency, 100})
	}
	fmt.Println(InEuros.All(ctx, amounts))
	// Output: [200 100 10] <nil>
}
