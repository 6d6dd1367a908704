package codec

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

var errTooDeep = errors.New("it is nested more than 10,000 deep, or contains itself: flatten it, for example into a slice with indices")

// trail is the way from the top to where a walk is. It ends walks that go too
// deep, and soon those of values that contain themselves.
type trail struct {
	depth int
	above map[place]bool
}

type place struct {
	at  unsafe.Pointer
	len int
	typ reflect.Type
}

// Values that contain themselves are looked for below this depth only, since
// that costs, and hardly any value is as deep.
const watchedDepth = 100

func (t *trail) enter(p *plan, v reflect.Value) (leave func(), err error) {
	nested := 0
	switch p.shape {
	case slice, array, mapping, structure, iface:
		nested = 1
	}
	if t.depth += nested; t.depth > MaxDepth {
		return nil, errTooDeep
	}
	where := place{typ: p.typ}
	if t.depth > watchedDepth {
		switch p.shape {
		case pointer, mapping:
			where.at = v.UnsafePointer()
		case slice:
			where.at, where.len = v.UnsafePointer(), v.Len()
		}
	}
	if where.at == nil {
		return func() { t.depth -= nested }, nil
	}
	if t.above[where] {
		return nil, fmt.Errorf("this %v contains itself, and so its encoding would never end: flatten it, for example into a slice with indices", cmp.Or(p.typ.Name(), p.typ.String()))
	}
	if t.above == nil {
		t.above = map[place]bool{}
	}
	t.above[where] = true
	return func() { t.depth -= nested; delete(t.above, where) }, nil
}
