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
	failed := func(did string) *executor.Error {
		return &executor.Error{Reason: executor.LaunchFailed, Message: fmt.Sprintf(
			"the func that mops.ByInput was given for %s, at %s, %s", f.call.Function.Name, f.call.Function.Place, did)}
	}
	in, err := f.ownInput(ctx)
	if err != nil {
		return nil, fmt.Errorf("the input of %s, for the func given to mops.ByInput: %w", f.place.URI(), err)
	}
	answers := make(chan answer[executor.Executor], 1)
	// If ctx ends, nobody waits for this goroutine: it belongs to the user, whose
	// func does not return.
	go func() {
		a := answer[executor.Executor]{err: failed("did not return: it called runtime.Goexit")}
		defer func() {
			if p := recover(); p != nil {
				failure := failed(fmt.Sprintf("panicked: %v", p))
				stack := debug.Stack()
				failure.Tail = string(stack[:min(len(stack), enoughStack)])
				a.err = failure
			}
			answers <- a
		}()
		if a.value, a.err = f.call.ByInput(in); a.err != nil {
			a.err = failed("returned what cannot be used: " + a.err.Error())
		}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return nil, errtree.Tame(context.Cause(ctx))
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
