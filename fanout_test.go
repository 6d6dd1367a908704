package mops_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestAllReturnsResultsInTheOrderOfTheInputs(t *testing.T) {
	ctx := mopstest.Context(t)
	turn := make([]chan struct{}, 4)
	for i := range turn {
		turn[i] = make(chan struct{})
	}
	backwards := mops.Define("backwards", func(_ context.Context, n int) (int, error) {
		if n+1 < len(turn) {
			<-turn[n+1]
		}
		close(turn[n])
		return 10 * n, nil
	}, private(), mops.On(inproc.New(inproc.Limit(0))))
	outs, err := backwards.All(ctx, numbers(len(turn)))
	if err != nil || !slices.Equal(outs, []int{0, 10, 20, 30}) {
		t.Errorf("%v, %v", outs, err)
	}
}

func TestTheFirstErrorOfAllCancelsTheRestAndWaits(t *testing.T) {
	ctx := mopstest.Context(t)
	var running atomic.Int64
	var begun = make(chan struct{}, 100)
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		running.Add(1)
		defer running.Add(-1)
		if n == 3 {
			for range 3 {
				<-begun
			}
			return 0, errors.New("three is too many")
		}
		begun <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	}, private(), mops.On(inproc.New(inproc.Limit(0))))
	outs, err := f.All(ctx, numbers(4))
	if n := running.Load(); n != 0 {
		t.Errorf("%d functions still run", n)
	}
	if outs != nil {
		t.Errorf("outs %v", outs)
	}
	mentions(t, err, "input 3", "three is too many", "mem://")
	if _, ok := errors.AsType[*mops.FuncError](err); !ok {
		t.Errorf("%T", err)
	}
}

func TestEachYieldsErrorsAndGoesOn(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("odd", func(_ context.Context, n int) (int, error) {
		if n%2 == 0 {
			return 0, fmt.Errorf("%d is even", n)
		}
		return n, nil
	}, private())
	failed, seen := 0, map[int]bool{}
	for r := range f.Each(ctx, slices.Values(numbers(20))) {
		seen[r.Index] = true
		if r.In != r.Index || r.Info.URI == "" {
			t.Errorf("%+v", r)
		}
		if r.Err != nil {
			failed++
			mentions(t, r.Err, fmt.Sprintf("%d is even", r.In))
		} else if r.Out != r.In || r.Info.Outcome != mops.Computed {
			t.Errorf("%+v", r)
		}
	}
	if failed != 10 || len(seen) != 20 {
		t.Errorf("%d results, %d failed", len(seen), failed)
	}
}

func TestLeavingTheLoopCancelsAndWaits(t *testing.T) {
	ctx := mopstest.Context(t)
	var running, taken atomic.Int64
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		running.Add(1)
		defer running.Add(-1)
		if n == 0 {
			return 0, nil
		}
		<-ctx.Done()
		return 0, ctx.Err()
	}, private(), mops.On(inproc.New(inproc.Limit(0))))
	endless := func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
			taken.Add(1)
		}
	}
	for r := range f.Each(ctx, endless, mops.Concurrency(8)) {
		if r.Err != nil {
			t.Error(r.Err)
		}
		break
	}
	if n := running.Load(); n != 0 {
		t.Errorf("%d functions still run", n)
	}
	before := taken.Load()
	runtime.Gosched()
	if after := taken.Load(); after != before || after > 20 {
		t.Errorf("inputs are still taken: %d, %d", before, after)
	}
}

func TestAPanicInTheLoopCancelsAndWaits(t *testing.T) {
	ctx := mopstest.Context(t)
	var running atomic.Int64
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		running.Add(1)
		defer running.Add(-1)
		if n > 0 {
			<-ctx.Done()
		}
		return n, ctx.Err()
	}, private(), mops.On(inproc.New(inproc.Limit(0))))
	if message := panics(t, func() {
		for range f.Each(ctx, slices.Values(numbers(4))) {
			panic("in the loop")
		}
	}); message != "in the loop" {
		t.Error(message)
	}
	if n := running.Load(); n != 0 {
		t.Errorf("%d functions still run", n)
	}
}

func TestTheEndOfTheContextEndsAFanOut(t *testing.T) {
	env := mopstest.Context(t)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(env)
	f, begun, _, _ := gated()
	go func() { <-begun; cancel(why) }()
	yielded := 0
	for r := range f.Each(ctx, slices.Values(numbers(100)), mops.Concurrency(4)) {
		if yielded++; !errors.Is(r.Err, why) {
			t.Errorf("%+v", r)
		}
	}
	if yielded > 4 {
		t.Errorf("%d calls were made after the end of the context", yielded)
	}
	if outs, err := f.All(ctx, numbers(3)); !errors.Is(err, why) || outs != nil {
		t.Errorf("All: %v, %v", outs, err)
	}
	if outs, err := f.All(ctx, nil); !errors.Is(err, why) {
		t.Errorf("All of nothing: %v, %v", outs, err)
	}
}

func TestAFanOutOfNothing(t *testing.T) {
	ctx := mopstest.Context(t)
	f, _ := counted(t)
	if outs, err := f.All(ctx, nil); err != nil || len(outs) != 0 {
		t.Errorf("%v, %v", outs, err)
	}
	for r := range f.Each(ctx, slices.Values([]int(nil))) {
		t.Errorf("%+v", r)
	}
}

func TestAPanicOfTheInputsReachesTheLoop(t *testing.T) {
	ctx := mopstest.Context(t)
	f, _ := counted(t)
	var broken iter.Seq[int] = func(yield func(int) bool) {
		yield(1)
		panic("no more inputs")
	}
	results := 0
	if message := panics(t, func() {
		for r := range f.Each(ctx, broken) {
			if results++; r.Err != nil {
				t.Error(r.Err)
			}
		}
	}); message != "no more inputs" {
		t.Error(message)
	}
	if results != 1 {
		t.Errorf("%d results came before the panic", results)
	}
}

func TestNoMoreCallsAreUnderWayThanAllowed(t *testing.T) {
	ctx := mopstest.Context(t)
	var now, most atomic.Int64
	f := mops.Define("f", func(_ context.Context, n int) (int, error) {
		for high := now.Add(1); ; {
			old := most.Load()
			if high <= old || most.CompareAndSwap(old, high) {
				break
			}
		}
		runtime.Gosched()
		now.Add(-1)
		return n, nil
	}, private(), mops.On(inproc.New(inproc.Limit(0))))
	must(f.All(ctx, numbers(300), mops.Concurrency(5)))
	if n := most.Load(); n > 5 {
		t.Errorf("%d ran at once", n)
	}
	// A limit of the executor holds across fan-outs.
	most.Store(0)
	limited := f.With(mops.On(inproc.New(inproc.Limit(3))))
	must(limited.With(mops.Pipeline("other")).All(ctx, numbers(300)))
	if n := most.Load(); n > 3 {
		t.Errorf("%d ran at once on an executor with 3 slots", n)
	}
}

func TestThousandsOfHits(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: stress")
	}
	n := 10_000
	if os.Getenv("MOPS_SOAK") != "" {
		n = 100_000
	}
	ctx := mopstest.Context(t)
	f, runs := counted(t)
	for range 2 {
		outs, err := f.All(ctx, numbers(n))
		if err != nil {
			t.Fatal(err)
		}
		for i, out := range outs {
			if out != 2*i {
				t.Fatalf("out %d is %d", i, out)
			}
		}
	}
	if runs.Load() != int64(n) {
		t.Errorf("%d runs", runs.Load())
	}
}

func TestAFunctionMayFanOutItself(t *testing.T) {
	// Deeper than there are slots: a call that waits gives its slot back.
	ctx := mopstest.Context(t, mops.On(inproc.New(inproc.Limit(1))))
	tree := mops.Declare[int, int]("tree", private())
	tree.Implement(func(ctx context.Context, depth int) (int, error) {
		if depth == 0 {
			return 1, nil
		}
		sum := 0
		for _, option := range []mops.Option{mops.Join(), mops.Off()} {
			outs, err := tree.All(ctx, []int{depth - 1}, option)
			if err != nil {
				return 0, err
			}
			sum += outs[0]
		}
		return sum, nil
	})
	if out, err := tree.Call(ctx, 6); err != nil || out != 1<<6 {
		t.Errorf("%d, %v", out, err)
	}
}
