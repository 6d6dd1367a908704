package codec

import (
	"bytes"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"unsafe"
)

// Clone sets to, which is settable and of the codec's type, to a copy of from;
// later changes by the owner of from do not reach it. The copy is faithful: nil
// stays nil. In types that can contain themselves, pointers to one value are
// again pointers to one value; in others, each points to a copy of its own.
// Fields tagged mops:"-", watched values (see [Types.Watch]) and the keys of
// maps are copied as an assignment does it; types that marshal themselves are
// copied by their methods. An error is a *[ValueError].
func (c *Codec) Clone(from, to reflect.Value) (err error) {
	to.Set(from)
	if !c.root.refers {
		return nil
	}
	defer func() {
		if err != nil {
			to.SetZero()
			err = valueError(c.path, err)
		}
	}()
	return (&cloner{codec: c}).detach(c.root, to)
}

type cloner struct {
	codec *Codec
	trail trail
	made  map[place]reflect.Value // copies, by the originals' places
}

// detach gives v its own copies of all that it refers to. v is a copy, by
// assignment, of the original.
func (w *cloner) detach(p *plan, v reflect.Value) error {
	if !p.refers || p.watched {
		return nil
	}
	if p.endless {
		where, err := w.trail.enter(p, v)
		if err != nil {
			return err
		}
		defer w.trail.leave(p, where)
	}
	switch p.shape {
	case leaf:
		if p.typ == bigIntType {
			v.Set(reflect.ValueOf(new(big.Int).Set(v.Addr().Interface().(*big.Int))).Elem())
		} else if !v.IsNil() {
			v.SetBytes(bytes.Clone(v.Bytes()))
		}
	case opaque:
		return w.opaque(p, v)
	case array:
		return w.elements(p, v)
	case structure:
		return w.structure(p, v)
	case pointer, slice, mapping:
		return w.reference(p, v)
	case iface:
		return w.iface(p, v)
	}
	return nil
}

// opaque copies a value that only its own methods know how to copy.
func (w *cloner) opaque(p *plan, v reflect.Value) error {
	if v.Kind() == reflect.Slice && isPlain(v.Type().Elem()) {
		if !v.IsNil() {
			v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
		}
		return nil
	}
	data, err := p.marshal(w.codec.side, v)
	if err != nil {
		return err
	}
	v.SetZero()
	_, err = p.unmarshal(data, v, strict)
	return err
}

func (w *cloner) elements(p *plan, v reflect.Value) error {
	if !p.elem.refers {
		return nil
	}
	for i := range v.Len() {
		if err := w.detach(p.elem, v.Index(i)); err != nil {
			return at(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return nil
}

func (w *cloner) structure(p *plan, v reflect.Value) error {
	var own ownEmbedded
	for i := range p.fields {
		f := &p.fields[i]
		var fv reflect.Value
		switch {
		case len(f.index) > 1:
			fv = own.field(v, f.index)
		case f.plan.refers:
			fv = v.Field(f.index[0])
		}
		if !fv.IsValid() {
			continue
		}
		if err := w.detach(f.plan, fv); err != nil {
			return at(err, "."+f.goName)
		}
	}
	return nil
}

// ownEmbedded are the pointers to embedded structs that have been copied:
// several fields may lie behind one.
type ownEmbedded map[unsafe.Pointer]bool

// field finds a field of an embedded struct, and copies the structs behind the
// pointers on the way; the result is not valid if one of them is nil.
func (own *ownEmbedded) field(v reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			if !(*own)[v.UnsafePointer()] {
				v.Set(addressable(v.Elem()).Addr())
				if *own == nil {
					*own = ownEmbedded{}
				}
				(*own)[v.UnsafePointer()] = true
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}

// reference copies the target of a pointer, a slice or a map, and each only
// once: a type that contains itself may hold one target any number of times.
func (w *cloner) reference(p *plan, v reflect.Value) error {
	if v.IsNil() {
		return nil
	}
	var original place
	if p.endless {
		original = place{at: v.UnsafePointer(), typ: p.typ}
		if p.shape == slice {
			original.len = v.Len()
		}
		if made, ok := w.made[original]; ok {
			v.Set(made)
			return nil
		}
	}
	var made reflect.Value
	switch p.shape {
	case pointer:
		made = addressable(v.Elem()).Addr()
	case slice:
		made = reflect.MakeSlice(p.typ, v.Len(), v.Len())
		reflect.Copy(made, v)
	case mapping:
		made = reflect.MakeMapWithSize(p.typ, v.Len())
	}
	if p.endless {
		if w.made == nil {
			w.made = map[place]reflect.Value{}
		}
		w.made[original] = made
	}
	switch p.shape {
	case pointer:
		v.Set(made)
		return w.detach(p.elem, made.Elem())
	case slice:
		v.Set(made)
		return w.elements(p, made)
	default:
		err := w.entries(p, v, made)
		v.Set(made)
		return err
	}
}

func (w *cloner) entries(p *plan, from, made reflect.Value) error {
	for iter := from.MapRange(); iter.Next(); {
		elem := addressable(iter.Value())
		if err := w.detach(p.elem, elem); err != nil {
			return at(err, keyStep(iter.Key()))
		}
		made.SetMapIndex(iter.Key(), elem)
	}
	return nil
}

func (w *cloner) iface(p *plan, v reflect.Value) error {
	if v.IsNil() {
		return nil
	}
	for _, i := range p.impls {
		if i.plan.typ == v.Elem().Type() {
			held := addressable(v.Elem())
			if err := w.detach(i.plan, held); err != nil {
				return at(err, "("+i.name+")")
			}
			v.Set(held)
		}
	}
	return nil
}

// refers reports whether a copy of a value by assignment may change with the
// original, apart from its parts.
func refers(p *plan) bool {
	switch p.shape {
	case leaf:
		return p.typ.Kind() == reflect.Slice || p.typ == bigIntType
	case opaque:
		return !p.watched && !isPlain(p.typ)
	case pointer, slice, mapping, iface:
		return true
	case structure: // embedded pointers are not parts of their own
		return slices.ContainsFunc(p.fields, func(f field) bool { return throughPointer(p.typ, f.index) })
	}
	return false
}

// isPlain reports whether nothing in a type refers to anything that could
// change.
func isPlain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return isPlain(t.Elem())
	case reflect.Struct:
		if t == timeType {
			return true // its zone is never changed
		}
		for i := range t.NumField() {
			if !isPlain(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false
	}
	return true
}
