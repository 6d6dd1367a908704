package codec

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Types is what a codec must know beyond the type itself: the concrete types
// that may stand in interface fields, the types that [Codec.Visit] looks for,
// and those that stand for a value that is encoded apart. The zero value is
// ready for use; it is safe for concurrent use. A codec knows only the types
// that were registered before it was made.
type Types struct {
	mu     sync.Mutex
	byName map[string]reflect.Type
	byType map[reflect.Type]string
	watch  []func(reflect.Type) bool
	shared func(reflect.Type) reflect.Type
}

// Register names a concrete type that may stand in interfaces. Records hold the
// name, so keep it when the type moves. A value and a pointer to it are two
// types. It fails if the name or the type is registered already, or if the type
// is an interface.
func (t *Types) Register(name string, typ reflect.Type) error {
	if name == "" || typ == nil {
		return fmt.Errorf("register type %v as %q: a name and a type are needed", typ, name)
	}
	if typ.Kind() == reflect.Interface {
		return fmt.Errorf("register type %v as %q: it is an interface; register the types that implement it", typ, name)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.byName[name]; ok {
		return fmt.Errorf("register type %v as %q: the name is taken by %v; choose another", typ, name, old)
	}
	if old, ok := t.byType[typ]; ok {
		return fmt.Errorf("register type %v as %q: it is registered as %q; register it once", typ, name, old)
	}
	if t.byName == nil {
		t.byName, t.byType = map[string]reflect.Type{}, map[reflect.Type]string{}
	}
	t.byName[name], t.byType[typ] = typ, name
	return nil
}

// Watch makes [Codec.Visit] find values of the types for which match is true.
// These types should marshal themselves.
func (t *Types) Watch(match func(reflect.Type) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watch = append(t.watch, match)
}

// Share sets which types stand for a value that is encoded apart: elem returns
// the type of that value, or nil. Such a type must marshal itself, and Visit
// finds it, too. Its value is judged along with it (see [Codec.Shared]); in a
// fingerprint the structure of the value replaces the name of the type.
func (t *Types) Share(elem func(reflect.Type) reflect.Type) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shared = elem
}

// elem is the type of the value that a type stands for, or nil.
func (t *Types) elem(typ reflect.Type) reflect.Type {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shared == nil {
		return nil
	}
	return t.shared(typ)
}

type registration struct {
	name string
	typ  reflect.Type
}

// implementing lists the registered types that implement an interface, by name.
func (t *Types) implementing(iface reflect.Type) []registration {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []registration
	for name, typ := range t.byName {
		if typ.Implements(iface) {
			found = append(found, registration{name, typ})
		}
	}
	slices.SortFunc(found, func(a, b registration) int { return cmp.Compare(a.name, b.name) })
	return found
}

func (t *Types) watched(typ reflect.Type) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.watch, func(match func(reflect.Type) bool) bool { return match(typ) })
}
