package mops_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
)

func ExampleInstrument() {
	instrument := mops.Instrument(func(worker bool) mops.Instruments {
		return mops.Instruments{
			Trace: func(ctx context.Context, e mops.Event) context.Context {
				fmt.Println(e.Kind)
				return ctx // or one that has a span
			},
		}
	})

	env, err := mops.New(context.Background(), instrument, mops.Isolated(), mops.Root("mem://example"), mops.In(registry))
	if err != nil {
		panic(err)
	}
	defer env.Close()
	fmt.Println(length.Call(env.Context(context.Background()), "four"))
	// Output:
	// asked
	// started
	// attempt-ended
	// ended
	// 4 <nil>
}

var (
	registry = mops.NewRegistry()
	length   = mops.Define("example/length", func(_ context.Context, s string) (int, error) { return len(s), nil }, mops.In(registry))
)
