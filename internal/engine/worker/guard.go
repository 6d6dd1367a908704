package worker

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/TrilliantHealth/mops-go/internal/engine/function"
)

// panicked says that a function ended without returning: by a panic or a
// runtime.Goexit.
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

// isGoexit reports whether err says that the function called runtime.Goexit.
func isGoexit(err error) bool {
	p, ok := err.(*panicked)
	return ok && p.value == nil
}

// guard calls the user's function and then, however the function ended, calls
// then with its output. A panic and a runtime.Goexit become errors. After a
// Goexit, guard does not return. With crash, a panic goes on after then: it ends
// the program, and a debugger stops there, with the function's frames still on
// the stack.
func guard(ctx context.Context, f *function.Function, in any, crash bool, then func(out any, err error)) {
	var out any
	var err error
	returned := false
	defer func() {
		if !returned {
			value := recover()
			out, err = nil, &panicked{value: value, stack: string(debug.Stack())}
			if crash && value != nil {
				defer panic(value)
			}
		}
		then(out, err)
	}()
	out, err = f.Run(ctx, in)
	returned = true
}
