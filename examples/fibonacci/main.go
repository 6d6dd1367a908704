// Command fibonacci is the quickstart: a function that calls itself through
// mops, so that each number is computed once, by anybody who shares the root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

var Fibonacci = mops.Declare[int, *big.Int]("examples/fibonacci")

func init() { Fibonacci.Implement(fibonacci) }

func fibonacci(ctx context.Context, n int) (*big.Int, error) {
	if n < 2 {
		return big.NewInt(int64(n)), nil
	}
	a, err := Fibonacci.Call(ctx, n-1)
	if err != nil {
		return nil, err
	}
	b, err := Fibonacci.Call(ctx, n-2)
	if err != nil {
		return nil, err
	}
	return a.Add(a, b), nil
}

func main() { mops.Main(run) }

// Flags are parsed here, not in main: a worker, which is this program started
// again, gets no arguments, and never comes here.
func run(ctx context.Context) error {
	flags := flag.NewFlagSet("fibonacci", flag.ContinueOnError)
	n := flags.Int("n", 100, "which Fibonacci `number`")
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *n < 0:
		return fmt.Errorf("-n %d: there are no Fibonacci numbers before the first", *n)
	}
	begin := time.Now()
	f, info, err := Fibonacci.Do(ctx, *n)
	if err != nil {
		return err
	}
	fmt.Printf("fibonacci(%d) = %v (%s in %v)\n", *n, f, info.Outcome, time.Since(begin).Round(10*time.Microsecond))
	return nil
}
