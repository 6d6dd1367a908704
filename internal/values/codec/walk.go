package codec

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

var errTooDeep = errors.New("it is nested more than 10,000 deep, or contains itself: flatten it, for example into a slice with indices")

// trail is the way from the top to the present place of a walk. It ends walks
// that go too deep, and soon ends those of values that contain themselves.
type trail struct {
	depth int
	above map[place]bool
}

type place struct {
	at  unsafe.Pointer
	len int
	typ reflect.Type
}

// Only below this depth a walk looks for values that contain themselves:
// looking costs, and hardly any value is as deep.
const watchedDepth = 100

// enter goes into a value, unless that is too deep or contains itself. The
// caller then calls leave, with the returned place.
func (t *trail) enter(p *plan, v reflect.Value) (where place, err error) {
	if t.depth+p.nested() > MaxDepth {
		return place{}, errTooDeep
	}
	if t.depth+p.nested() > watchedDepth {
		where = placeOf(p, v)
	}
	if where.at != nil {
		if t.above[where] {
			return place{}, fmt.Errorf("this %v contains itself, and so its encoding would never end: flatten it, for example into a slice with indices", cmp.Or(p.typ.Name(), p.typ.String()))
		}
		if t.above == nil {
			t.above = map[place]bool{}
		}
		t.above[where] = true
	}
	t.depth += p.nested()
	return where, nil
}

func (t *trail) leave(p *plan, where place) {
	t.depth -= p.nested()
	if where.at != nil {
		delete(t.above, where)
	}
}

// nested is what a type adds to the depth of an encoding.
func (p *plan) nested() int {
	switch p.shape {
	case slice, array, mapping, structure, iface:
		return 1
	}
	return 0
}

// placeOf is the place of a pointer's, slice's or map's contents; the zero
// place for other values, and for nil ones.
func placeOf(p *plan, v reflect.Value) place {
	switch p.shape {
	case pointer, mapping:
		return place{at: v.UnsafePointer(), typ: p.typ}
	case slice:
		if v.Len() > 0 {
			return place{v.UnsafePointer(), v.Len(), p.typ}
		}
	}
	return place{}
}

// pace asks now and then whether to end a walk.
type pace struct {
	ended func() error
	steps int
}

func (p *pace) step() error {
	const often = 16
	if p.steps++; p.steps%often != 0 {
		return nil
	}
	return p.ended()
}
