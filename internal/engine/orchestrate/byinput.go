package orchestrate

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
)

// settleWhere says on which executor a call without a result is computed, and
// fails if it cannot be.
func (f *flight) settleWhere(ctx context.Context) (err error) {
	if f.call.ByInput != nil {
		settings := *f.call.Settings // others share them
		if settings.Executor, err = f.byInput(ctx); err != nil {
			return err
		}
		f.call.Settings = &settings
	}
	return f.unfit(ctx)
}

// byInput asks the user which executor is for the input.
func (f *flight) byInput(ctx context.Context) (executor.Executor, error) {
	failed := func(did, stack string) error {
		return &executor.Error{Reason: executor.LaunchFailed, Tail: stack, Message: fmt.Sprintf(
			"the func that mops.ByInput was given for %s, at %s, %s", f.call.Function.Name, f.call.Function.Place, did)}
	}
	in, err := f.ownInput(ctx)
	if err != nil {
		return nil, fmt.Errorf("the input of %s, for the func given to mops.ByInput: %w", f.place.URI(), err)
	}
	return askUser(ctx, func() (executor.Executor, error) {
		where, err := f.call.ByInput(in)
		if err != nil {
			err = failed("returned what cannot be used: "+err.Error(), "")
		}
		return where, err
	}, failed)
}

// askUser returns what a func of the user's answers. Failed makes the error of one
// that panics, with the stack, or ends its goroutine.
func askUser[T any](ctx context.Context, ask func() (T, error), failed func(did, stack string) error) (T, error) {
	answers := make(chan answer[T], 1)
	// If ctx ends, nobody waits for this goroutine: it belongs to the user, whose
	// func does not return.
	go func() {
		a := answer[T]{err: failed("did not return: it called runtime.Goexit", "")}
		defer func() {
			if p := recover(); p != nil {
				stack := debug.Stack()
				a.err = failed(fmt.Sprintf("panicked: %v", p), string(stack[:min(len(stack), enoughStack)]))
			}
			answers <- a
		}()
		a.value, a.err = ask()
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, errtree.Tame(context.Cause(ctx))
	}
}

// ownInput decodes the input anew: the caller's may change once the call was given
// up, and the user may change this one.
func (f *flight) ownInput(ctx context.Context) (any, error) {
	in := f.call.Function.NewIn()
	if err := f.call.Function.DecodeIn(ctx, f.call.Input, in, f.call.Local); err != nil {
		return nil, err
	}
	refs, err := f.call.Function.InRefs(ctx, in)
	if err == nil {
		f.engine.Files.Adopt(refs, f.call.Sources)
	}
	return in, err
}
