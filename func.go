package mops

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/internal/engine/function"
)

// Func is a function that can be called through mops: its calls are memoized,
// and run where its options say. It is immutable, apart from Implement, and
// safe for concurrent use.
type Func[In, Out any] struct {
	function *function.Function
	defined  settings // by Define
	with     settings // by With
	settled  atomic.Pointer[settled]
}

// Define registers a function under a name of 1 to 6 segments such as
// "forecast/train", at most 160 bytes of a-z, 0-9, '.', '_' and '-'. Results
// are kept under the name, so keep it when the function moves.
//
// fn takes one input and returns one output: make a struct of several. If it has
// another shape, the compiler "cannot infer In and Out".
//
// In and Out must be types that can be encoded without loss: no channels, no
// functions, no unexported fields (unless the type marshals itself), interfaces
// only with [RegisterType]. Sources ([File], [Dir]) may stand anywhere in them.
//
// Define panics if the name or the [Version] is not valid, if the name is
// taken, or if a type cannot be encoded: so the program fails when it starts,
// and not at the call.
func Define[In, Out any](name string, fn func(context.Context, In) (Out, error), options ...FuncOption) *Func[In, Out] {
	f := declare[In, Out](name, place(2), options)
	f.implement(fn)
	return f
}

// Declare is [Define] without the function itself, which [Func.Implement] adds.
// Use it for a function that calls itself, since Go refuses a variable whose
// initialiser refers to itself, and in a program that calls functions which
// only its workers implement. A call of a function that nobody implemented
// fails with [ErrNotImplemented].
func Declare[In, Out any](name string, options ...FuncOption) *Func[In, Out] {
	return declare[In, Out](name, place(2), options)
}

// Implement sets the function of a declared name, and adds to its [Calls]:
// functions that call each other cannot be named in Declare. Call it once, from
// an init function. It panics if the function is implemented already.
func (f *Func[In, Out]) Implement(fn func(context.Context, In) (Out, error), calls ...CallsOption) {
	for _, o := range calls {
		addCalls(f.function, o.callees())
	}
	f.implement(fn)
}

// Name is the name that the function was defined under.
func (f *Func[In, Out]) Name() string { return f.function.Name }

// With returns a copy of f with more options; f stays as it is.
func (f *Func[In, Out]) With(options ...Option) *Func[In, Out] {
	over := settings{}
	for _, o := range options {
		o.set(&over)
	}
	return f.overlay(over)
}

func (f *Func[In, Out]) overlay(over settings) *Func[In, Out] {
	return &Func[In, Out]{function: f.function, defined: f.defined, with: f.with.overlay(over)}
}

func (f *Func[In, Out]) callee() *function.Function { return f.function }

func declare[In, Out any](name, place string, options []FuncOption) *Func[In, Out] {
	o := funcOptions{version: "0", registry: defaultRegistry}
	for _, option := range options {
		option.setFunc(&o)
	}
	registered, err := o.registry.functions.Add(name, o.version, place, reflect.TypeFor[In](), reflect.TypeFor[Out]())
	if err != nil {
		panic(fmt.Sprintf("mops: %v (at %s)", err, place))
	}
	if o.settings.by != nil {
		o.settings.by.mustFit(registered, reflect.TypeFor[In]())
	}
	addCalls(registered, o.calls)
	registered.ReadFrom(o.homes...)
	o.registry.define(name, o.settings)
	return &Func[In, Out]{function: registered, defined: o.settings}
}

func addCalls(to *function.Function, callees []Callable) {
	for _, c := range callees {
		if c == nil || reflect.ValueOf(c).IsNil() {
			panic(fmt.Sprintf("mops: function %s (at %s): Calls names a function that is not defined yet: declare it before", to.Name, to.Place))
		}
		if err := to.Call(c.callee()); err != nil {
			panic("mops: " + err.Error())
		}
	}
}

func (f *Func[In, Out]) implement(fn func(context.Context, In) (Out, error)) {
	if fn == nil {
		panic(fmt.Sprintf("mops: function %s is implemented by nil", f.function.Name))
	}
	f.function.Symbol = runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	err := f.function.Implement(func(ctx context.Context, in any) (any, error) {
		out, err := fn(ctx, *in.(*In))
		return &out, err
	})
	if err != nil {
		panic("mops: " + err.Error())
	}
}

// place is the file and line of a caller, for messages.
func place(skip int) string {
	_, file, line, ok := runtime.Caller(skip)
	if !ok {
		return "unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}
