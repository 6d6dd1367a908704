package worker

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/TrilliantHealth/mops-go/internal/function"
)

// panicked is what a function did that is no returned error.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string {
	if p.value == nil {
		return "the function called runtime.Goexit (t.FailNow and t.SkipNow do, too); return an error instead"
	}
	return fmt.Sprintf("panic: %v", p.value)
}

// Unwrap lets errors.Is and As see an error that was the value of a panic.
func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// guard calls the user's function so that a panic and a Goexit come back as
// errors. It runs on a goroutine of its own, since a Goexit cannot be stopped
// from ending the goroutine that it happens on.
func guard(ctx context.Context, f *function.Function, in any) (out any, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if returned {
				return
			}
			value := recover()
			err = &panicked{value: value, stack: string(debug.Stack())}
		}()
		out, err = f.Run(ctx, in)
		returned = true
	}()
	<-done
	return out, err
}
