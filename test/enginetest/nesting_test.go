//go:build linux || darwin

package enginetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Depth is the input of a function that calls itself.
type Depth struct {
	N   int
	On  string // executor of the calls below
	Dir string // of the tally
}

var (
	descend   = mops.Declare[Depth, int]("enginetest/descend")
	fibonacci = mops.Declare[Depth, int]("enginetest/fibonacci")
)

func init() {
	descend.Implement(func(ctx context.Context, in Depth) (int, error) {
		enginetest.Tally{Dir: in.Dir}.Note("start", "descend")
		if in.N == 0 {
			return 0, nil
		}
		in.N--
		n, err := descend.With(mops.On(executors[in.On])).Call(ctx, in)
		return n + 1, err
	})
	fibonacci.Implement(func(ctx context.Context, in Depth) (int, error) {
		enginetest.Tally{Dir: in.Dir}.Note("start", "fibonacci")
		if in.N < 2 {
			return in.N, nil
		}
		one, two := in, in
		one.N, two.N = in.N-1, in.N-2
		both, err := fibonacci.With(mops.On(executors[in.On])).All(ctx, []Depth{one, two})
		if err != nil {
			return 0, err
		}
		return both[0] + both[1], nil
	})
}

// fileContext is an orchestrator with a file store of its own.
func fileContext(t *testing.T, options ...mops.EnvOption) context.Context {
	t.Helper()
	options = append([]mops.EnvOption{mops.Isolated(), mops.Root("file://" + t.TempDir() + "/root"), mops.CacheDir(t.TempDir())}, options...)
	env, err := mops.New(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return env.Context(t.Context())
}

// Who waits in a nested call gives its slot back: two slots are enough for a
// recursion of any depth, in process and in a tree of subprocesses.
func TestRecursionOnTwoSlots(t *testing.T) {
	for _, c := range []struct {
		on          string
		depth, fibo int
		runs        int // of fibonacci
	}{
		{"in2", 1000, 20, 21},
		{"sub2", 30, 10, 11},
		{"in1", 100, 10, 11},
		{"sub1", 8, 6, 7},
	} {
		t.Run(c.on, func(t *testing.T) {
			t.Parallel()
			ctx, dir := fileContext(t), t.TempDir()
			tally := enginetest.Tally{Dir: dir}
			began := time.Now()
			got, err := descend.With(mops.On(executors[c.on])).Call(ctx, Depth{c.depth, c.on, dir})
			if err != nil || got != c.depth {
				t.Fatalf("got %d, %v", got, err)
			}
			t.Logf("%d deep took %v", c.depth, time.Since(began))
			if ran := counts(t, tally)["descend"]; ran != c.depth+1 {
				t.Errorf("%d runs", ran)
			}
			began = time.Now()
			fib, err := fibonacci.With(mops.On(executors[c.on])).Call(ctx, Depth{c.fibo, c.on, dir})
			if want := []int{6: 8, 10: 55, 20: 6765}[c.fibo]; err != nil || fib != want {
				t.Fatalf("got %d, %v", fib, err)
			}
			t.Logf("fibonacci of %d, side by side, took %v", c.fibo, time.Since(began))
			if ran := counts(t, tally)["fibonacci"]; ran != c.runs {
				t.Errorf("%d runs, want %d", ran, c.runs)
			}
		})
	}
}
