package function

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/values/codec"
)

// Registry is a set of functions, and of the types that may stand in interface
// fields and in errors. It is safe for concurrent use.
type Registry struct {
	Types *codec.Types
	Locks code.Locks // by which code the functions compute

	sources   Sources
	looking   atomic.Pointer[chan struct{}] // see Look
	mu        sync.Mutex
	functions map[string]*Function
	errors    map[string]*errorType
}

// Sources describes the root package's types for sources and shared values to
// the packages below.
type Sources struct {
	// Type is that of sources.
	Type reflect.Type

	// Shared is the type of the value that a type for shared values stands for; nil
	// for any other type.
	Shared func(reflect.Type) reflect.Type

	// Ref is the reference of a source or a shared value in package source; nil for
	// the zero value. shared is the codec of a shared value; nil for a source.
	Ref func(ctx context.Context, value reflect.Value, shared *Codec) (*source.Ref, error)
}

// Codec encodes the values of one type; see package codec.
type Codec = codec.Codec

// NewRegistry makes an empty registry.
func NewRegistry(sources Sources) *Registry {
	r := &Registry{Types: new(codec.Types), sources: sources, functions: map[string]*Function{}, errors: map[string]*errorType{}}
	r.Types.Watch(func(t reflect.Type) bool { return t == sources.Type })
	r.Types.Share(sources.Shared)
	return r
}

// Add registers a function. It fails if the name or the version is not valid,
// if the name is taken, and if a type can never be encoded.
func (r *Registry) Add(name, version, place string, in, out reflect.Type) (*Function, error) {
	if err := memokey.ValidName(name); err != nil {
		return nil, err
	}
	if err := memokey.ValidVersion(version); err != nil {
		return nil, fmt.Errorf("function %s: %w", name, err)
	}
	for _, side := range []struct {
		of   reflect.Type
		side codec.Side
		what string
	}{{in, codec.Input, "input"}, {out, codec.Output, "output"}} {
		// A missing type may still be registered; Prepare asks again.
		if _, err := codec.For(side.of, side.side, r.Types); err != nil && !codec.IsUnregistered(err) {
			return nil, fmt.Errorf("function %s: its %s: %w", name, side.what, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, taken := r.functions[name]; taken {
		return nil, fmt.Errorf("function %s is defined twice: at %s and at %s", name, other.Place, place)
	}
	f := &Function{Name: name, Place: place, registry: r, declared: version, in: in, out: out}
	f.setVersion(version)
	r.functions[name] = f
	return f, nil
}

func (r *Registry) Lookup(name string) (*Function, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.functions[name]
	return f, ok
}

// All are the functions, by name.
func (r *Registry) All() []*Function {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.functions))
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b *Function) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Check prepares every function, so that a program with a type that cannot be
// encoded fails when it starts and not at the call.
func (r *Registry) Check() error {
	for _, f := range r.All() {
		if err := f.Prepare(); err != nil {
			return err
		}
	}
	return nil
}
