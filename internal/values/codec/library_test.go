package codec

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

// The library alone wrote most of the bytes in stores, in one piece: all types
// that it treats just as the rules of this package say. The walk must write the
// same bytes for them, for they are in memo keys, and must read all that the
// library reads.

// agrees holds the encoding of a value against the library's.
func agrees(t testing.TB, c *Codec, v reflect.Value, data []byte) {
	t.Helper()
	if !alone(c.root, c.side, map[*plan]bool{}) {
		return
	}
	whole, err := encModes[c.side].Marshal(argument(v))
	if c.side == Input {
		unsignZeros(whole)
	}
	if err != nil || !bytes.Equal(whole, data) {
		t.Errorf("Encode(%#v) = %x, and the library writes %x, %v", v, data, whole, err)
	}
	read, want := reflect.New(c.typ), reflect.New(c.typ)
	if err := decMode.Unmarshal(data, read.Interface()); err != nil {
		t.Fatalf("the library does not read %x: %v", data, err)
	}
	if err := c.Decode(t.Context(), data, want); err != nil {
		t.Fatalf("Decode(%x): %v", data, err)
	}
	if again, err := c.Encode(t.Context(), read.Elem()); err != nil || !bytes.Equal(again, data) {
		t.Errorf("%x is %#v, and to the library %#v", data, want.Elem(), read.Elem())
	}
}

// alone reports whether the library does right by itself with a type.
func alone(p *plan, side Side, seen map[*plan]bool) bool {
	if seen[p] {
		return true
	}
	seen[p] = true
	for _, child := range p.children {
		if !alone(child, side, seen) {
			return false
		}
	}
	switch p.shape {
	case iface:
		return false
	case opaque: // in inputs, there may be the sign of a zero in it, which is its own
		_, lossy := remedies[p.typ]
		return !lossy && (side == Output || p.form != formCBOR)
	case pointer: // these may be encoded as null
		return p.elem.typ != timeType && p.elem.form != formCBOR
	case structure:
		return len(p.kept) == 0 && !slices.ContainsFunc(p.fields, func(f field) bool {
			t, isZero := f.plan.typ, reflect.TypeFor[interface{ IsZero() bool }]()
			asks := t != timeType && (t.Implements(isZero) || reflect.PointerTo(t).Implements(isZero)) // their answer may be wrong
			return f.omitZero && (asks || subtleZero(side, f.plan))
		})
	}
	return true
}

// unsignZeros makes every -0 in well-formed CBOR a +0. The shortest form of -0
// is that of half a float: f9 80 00.
func unsignZeros(data []byte) {
	for i := 0; i < len(data); {
		major, info := data[i]&majorMask, data[i]&^majorMask
		size := 1
		if info >= 24 {
			size += 1 << (info - 24)
		}
		switch {
		case data[i] == floatHalf && data[i+1] == 0x80 && data[i+2] == 0:
			data[i+1] = 0
		case major == majorBytes || major == majorText:
			_, n, _, _ := readHead(data[i:])
			size += int(n)
		}
		i += size
	}
}
