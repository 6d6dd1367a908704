package mops

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
)

// Result is one call of a fan-out.
type Result[In, Out any] struct {
	Index int   // of the input, from 0
	In    In    // a copy, made when it was taken; see Each
	Out   Out   // zero if Err is not nil
	Err   error // nil if the call returned its result
	Info  Info
}

// All calls the function once for each input, side by side (see [Concurrency]),
// and returns the results in the order of the inputs. On the first error All
// cancels the other calls, waits until they have ended, and returns that error
// with the index of its input. Results computed until then are kept: the next
// run finds them.
func (f *Func[In, Out]) All(ctx context.Context, ins []In, options ...EachOption) ([]Out, error) {
	if env := envOf(ctx); env != nil {
		env.tracker.Expect(f.function.Name, len(ins))
		made := 0
		defer func() { env.tracker.Expect(f.function.Name, made-len(ins)) }()
		counted := func(yield func(In) bool) {
			for _, in := range ins {
				made++
				if !yield(in) {
					return
				}
			}
		}
		return f.all(ctx, len(ins), counted, options)
	}
	return f.all(ctx, len(ins), slices.Values(ins), options)
}

func (f *Func[In, Out]) all(ctx context.Context, n int, ins iter.Seq[In], options []EachOption) ([]Out, error) {
	outs := make([]Out, n)
	// All may read the inputs while it runs: there is no need to copy them.
	for r := range f.fanOut(ctx, ins, false, options) {
		if r.Err != nil {
			return nil, fmt.Errorf("input %d: %w", r.Index, r.Err)
		}
		outs[r.Index] = r.Out
	}
	// If ctx ended, some inputs may have been called never.
	if ctx.Err() != nil {
		return nil, errtree.Tame(context.Cause(ctx))
	}
	return outs, nil
}

// Each calls the function once for each input, side by side, and yields the
// results as they come; an error ends only its own call. A goroutine takes the
// next input when a call becomes free (see [Concurrency]). When the caller
// leaves the loop, Each cancels the calls under way and waits until they have
// ended, and until ins returns from yielding its next input: an iterator that
// waits for inputs should end with ctx. When ctx ends, Each takes no more
// inputs, and the calls under way yield its error. If ins panics, the panic
// goes on in the loop, after the results of the calls that were made.
//
// Each copies an input before it takes the next, with all that the input points
// to, so ins may yield one buffer over and over. Sources, shared values and
// fields tagged `mops:"-"` are copied as an assignment copies them: do not
// change what such a field points to.
func (f *Func[In, Out]) Each(ctx context.Context, ins iter.Seq[In], options ...EachOption) iter.Seq[Result[In, Out]] {
	return f.fanOut(ctx, ins, true, options)
}

// fanOut is Each. If reused is set, taking the next input may change the last
// one.
func (f *Func[In, Out]) fanOut(ctx context.Context, ins iter.Seq[In], reused bool, options []EachOption) iter.Seq[Result[In, Out]] {
	o := eachOptions{concurrency: DefaultConcurrency}
	for _, option := range options {
		option.setEach(&o)
	}
	with := f.overlay(o.settings)
	take := func(in In) (In, error) { return in, nil }
	if reused {
		take = with.clone
	}
	return func(yield func(Result[In, Out]) bool) { with.each(ctx, ins, take, o.concurrency, yield) }
}

// clone returns a copy that stays as it is when the input changes.
func (f *Func[In, Out]) clone(in In) (own In, err error) {
	if f.function.Prepare() != nil {
		return in, nil // the call will return the error
	}
	if err := f.function.CloneIn(&in, &own); err != nil {
		return in, fmt.Errorf("%s: its input cannot be encoded: %w", f.function.Name, err)
	}
	return own, nil
}

var errLeft = errors.New("the loop over the results was left")

func (f *Func[In, Out]) each(ctx context.Context, ins iter.Seq[In], take func(In) (In, error), concurrency int, yield func(Result[In, Out]) bool) {
	calls, cancel := context.WithCancelCause(ctx)
	results := make(chan Result[In, Out])
	var panicked any
	go func() {
		defer close(results)
		var running sync.WaitGroup
		defer running.Wait()
		defer func() { panicked = recover() }() // from the user's iterator: goes on in the consumer
		f.feed(calls, ins, take, concurrency, &running, results)
	}()
	// However the consumer leaves, nothing goes on behind its back.
	defer func() {
		cancel(errLeft)
		for range results {
		}
		if panicked != nil {
			panic(panicked)
		}
	}()
	for r := range results {
		if !yield(r) {
			if errors.Is(r.Err, ErrPlanned) {
				lookOn(results)
			}
			return
		}
	}
}

// mostLookedAt bounds for how many more inputs a plan looks after the loop over the
// results was left: an iterator may have no end.
const mostLookedAt = 1_000_000

// lookOn lets the other calls of a plan be made, though the program has left the
// loop at the first one that it has no result for: they are to be counted.
func lookOn[In, Out any](results <-chan Result[In, Out]) {
	for range mostLookedAt {
		if _, ok := <-results; !ok {
			return
		}
	}
}

// feed makes the calls, at most concurrency at once.
func (f *Func[In, Out]) feed(ctx context.Context, ins iter.Seq[In], take func(In) (In, error), concurrency int, running *sync.WaitGroup, results chan<- Result[In, Out]) {
	free := make(chan struct{}, concurrency)
	index := 0
	for in := range ins {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil {
			return
		}
		r := Result[In, Out]{Index: index}
		r.In, r.Err = take(in)
		running.Go(func() {
			defer func() { <-free }()
			if r.Err == nil {
				r.Out, r.Err = f.do(ctx, r.In, orchestrate.LeaveSettled, &r.Info)
			}
			results <- r
		})
		index++
	}
}
