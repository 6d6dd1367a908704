package codec

import "reflect"

// A large value is encoded into one piece of memory, which is there from the
// start: in one that grows it would be copied several times over, and the
// library writes maps twice to sort them. So few of its maps are left to it.
const mostLargeEntries = 1000

// byParts reports whether a value is encoded here though the library would do:
// it may have large parts.
func (e *encoder) byParts(p *plan, v reflect.Value) bool {
	return e.codec.large && (p.shape == structure || p.shape == mapping && v.Len() <= mostLargeEntries)
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
