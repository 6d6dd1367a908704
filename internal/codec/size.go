package codec

import "reflect"

// A large value is encoded into one piece of memory, which is there from the
// start: in one that grows it would be copied several times over, and the
// library writes maps twice to sort them. So few of its maps are left to it.
const mostLargeEntries = 1000

// What is longer than this, in bytes, is not left to the library in one piece,
// since nothing ends that before it is done. The same holds for many values that
// marshal themselves: how long they are shows when they are encoded.
const (
	longPiece  = 64 << 20
	manyOpaque = 1000
)

// fewElements is how many may be so long that each of them is taken apart, too.
const fewElements = 1000

// byParts reports whether a value is encoded here though the library would do:
// it may have large parts.
func (e *encoder) byParts(p *plan, v reflect.Value) bool {
	return e.codec.large && (p.shape == structure || p.shape == mapping && v.Len() <= mostLargeEntries) ||
		e.parts && p.divisible()
}

// divisible reports whether a value of a type may have parts that take long.
func (p *plan) divisible() bool {
	switch p.shape {
	case pointer, structure:
		return true
	case slice, array, mapping:
		return p.elem.shape != leaf || p.key != nil && p.key.shape != leaf
	}
	return false
}

// element encodes an element of a slice, array or map.
func (e *encoder) element(of *plan, holder, v reflect.Value) error {
	if e.parts && of.elem.direct && holder.Len() > fewElements && !e.everywhere {
		return e.library(of.elem, v)
	}
	return e.value(of.elem, v)
}

// mostHead is the length of the longest head (RFC 8949, section 3), and so of
// the longest number, in bytes.
const mostHead = 9

// size is about how many bytes a value takes at most, for types that do not
// contain themselves. Of what marshals itself nothing is known.
func size(p *plan, v reflect.Value) int {
	n := mostHead
	switch p.shape {
	case leaf:
		switch v.Kind() {
		case reflect.String, reflect.Slice, reflect.Array:
			n += v.Len()
		case reflect.Struct: // a time
			n += len("2006-01-02T15:04:05.999999999Z")
		}
	case pointer:
		if !v.IsNil() {
			n = size(p.elem, v.Elem())
		}
	case slice, array:
		if v.Len() > 0 && p.elem.shape == leaf && p.elem.typ.Kind() != reflect.String && p.elem.typ.Kind() != reflect.Slice {
			return n + v.Len()*size(p.elem, v.Index(0)) // all alike
		}
		for i := range v.Len() {
			n += size(p.elem, v.Index(i))
		}
	case mapping:
		for entry := v.MapRange(); entry.Next(); {
			n += size(p.key, entry.Key()) + size(p.elem, entry.Value())
		}
	case structure:
		for _, f := range p.fields {
			if field, ok := fieldOf(v, f.index); ok {
				n += len(f.head) + size(f.plan, field)
			}
		}
	}
	return n
}
