package mops

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
)

// ByInput sets the executor of each call of a function by its input: where a large
// input needs more memory, say. It holds for Call, Start, All and Each. The result
// must not depend on it, and the memo key does not.
//
// mops asks choose only when a call has to be computed, once, and not for a hit. It
// may be called from any number of goroutines at once, and should return at once.
// It gets a decoded copy of the input, as the function will: of a source it knows
// the Size and the Hash. A call fails if choose panics or returns nil.
//
// Let choose return executors that were made before, since each has its own limit of
// how many functions run side by side; or copies that k8s.Executor.With makes, which
// share the limit of the executor that they are made of.
//
// ByInput and [On] set the same thing: see [Option] for the order, in which ByInput
// has the place of Define. So With(On(…)), the options of All and Each and the
// variable MOPS_EXECUTOR win over it, and it wins over the config file, if that has
// no force.
//
// [Define] and [Declare] panic if choose takes another type than the function does.
// ByInput panics if choose is nil.
func ByInput[In any](choose func(in In) executor.Executor) FuncOption {
	if choose == nil {
		panic("mops.ByInput: the func that chooses the executor is nil")
	}
	by := &byInput{reflect.TypeFor[In](), func(in any) executor.Executor { return choose(*in.(*In)) }}
	return funcOption(func(f *funcOptions) { f.settings.runsOn(nil, by) })
}

// byInput is the argument of ByInput, with its type erased.
type byInput struct {
	in     reflect.Type
	choose func(in any) executor.Executor // in points to the In
}

// mustFit panics if it takes something else than the function does.
func (b *byInput) mustFit(f *function.Function, in reflect.Type) {
	if b.in != in {
		panic(fmt.Sprintf("mops: function %s (at %s): the func given to mops.ByInput takes %v, and the function takes %v: both must take the same type",
			f.Name, f.Place, b.in, in))
	}
}

// chooser is choose for the engine, under the settings of an environment.
func (b *byInput) chooser(env *Env) func(in any) (executor.Executor, error) {
	return func(in any) (executor.Executor, error) {
		where := b.choose(in)
		if where == nil {
			return nil, errors.New("nil; return an executor, such as inproc.New() for this process")
		}
		return env.guarded(where)
	}
}
