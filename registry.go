package mops

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Registry is a set of functions and types. A program has one, unless [In]
// names another. It is safe for concurrent use.
type Registry struct {
	functions *function.Registry

	mu      sync.Mutex
	defined map[string]settings // by Define, by the names of functions
}

func (r *Registry) define(name string, s settings) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.defined[name] = s
}

// all are the settings of all functions that are defined so far, by their names.
func (r *Registry) all() map[string]settings {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.defined)
}

// NewRegistry makes an empty registry, for tests that define functions.
func NewRegistry() *Registry {
	functions := function.NewRegistry(function.Sources{
		Type: reflect.TypeFor[Source](), Shared: sharedType, Ref: refOf,
	})
	return &Registry{functions: functions, defined: map[string]settings{}}
}

func refOf(ctx context.Context, v reflect.Value, codec *function.Codec) (*source.Ref, error) {
	switch v := v.Interface().(type) {
	case Source:
		return v.ref, nil
	case sharing:
		return v.refer(ctx, codec)
	}
	return nil, nil
}

var defaultRegistry = NewRegistry()

// RegisterType lets values of T stand in fields of interface types. Records
// know T by its full name, so a type that moves to another package becomes
// another one. Register T where it is defined, in an init function: that must
// come before [Main], [Init] or [New]. RegisterType panics if T is registered
// already.
func RegisterType[T any](options ...RegistryOption) {
	typ := reflect.TypeFor[T]()
	if err := registryOf(options).Types.Register(function.TypeName(typ), typ); err != nil {
		panic(fmt.Sprintf("mops.RegisterType: %v", err))
	}
}

// RegisterError lets errors of type E that a function returns come back as
// themselves, for errors.As; others come back as text. RegisterError panics if
// E cannot be encoded without loss, or is registered already.
func RegisterError[E error](options ...RegistryOption) {
	if err := registryOf(options).AddError(reflect.TypeFor[E]()); err != nil {
		panic(fmt.Sprintf("mops.RegisterError: %v", err))
	}
}

func registryOf(options []RegistryOption) *function.Registry {
	in := defaultRegistry
	for _, option := range options {
		in = option.in()
	}
	return in.functions
}
