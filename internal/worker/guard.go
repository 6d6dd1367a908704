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

// guard calls the user's function and then, however that ended, what is to be
// done with its output: a panic and a runtime.Goexit come as errors. After a
// Goexit, guard does not return.
func guard(ctx context.Context, f *function.Function, in any, then func(out any, err error)) {
	var out any
	var err error
	returned := false
	defer func() {
		if !returned {
			out, err = nil, &panicked{value: recover(), stack: string(debug.Stack())}
		}
		then(out, err)
	}()
	out, err = f.Run(ctx, in)
	returned = true
}
