package function

import "context"

// stub is what a test has in place of a function, or before it.
type stub struct {
	run   Runner       // stands in for the function; nil for a fault
	fault func() error // may fail a run before it begins
	below *stub        // an outer one
}

type stubKey struct{ name string }

func stubOf(ctx context.Context, name string) *stub {
	s, _ := ctx.Value(stubKey{name}).(*stub)
	return s
}

// WithStub returns a context under which a runner stands in for the function of a
// name, in this process.
func WithStub(ctx context.Context, name string, run Runner) context.Context {
	return context.WithValue(ctx, stubKey{name}, &stub{run: run})
}

// WithFault returns a context under which a run of the function of a name, in this
// process, fails with what fault returns, unless that is nil.
func WithFault(ctx context.Context, name string, fault func() error) context.Context {
	return context.WithValue(ctx, stubKey{name}, &stub{fault: fault, below: stubOf(ctx, name)})
}

// Stubbed reports whether something stands in for the function.
func (f *Function) Stubbed(ctx context.Context) bool {
	for s := stubOf(ctx, f.Name); s != nil; s = s.below {
		if s.run != nil {
			return true
		}
	}
	return false
}

// Died is the error of a fault that stands for the death of a worker, which the error
// in it tells of.
type Died struct{ error }

// Die is the error of a fault with which the run ends as if err had ended its worker.
func Die(err error) error { return &Died{err} }

func (d *Died) Unwrap() error { return d.error }
