package codec

import (
	"bytes"
	"math"
	"math/big"
	"reflect"
	"slices"
	"time"
)

// omitted reports whether a field is left out.
func (f field) omitted(side Side, v reflect.Value) bool {
	return f.omitEmpty && isEmpty(v) || f.omitZero && isZero(side, f.plan, v)
}

// isEmpty is omitempty as in encoding/json and in the library.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Float32, reflect.Float64:
		return v.Float() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// isZero is omitzero: a value that decoding would restore as the zero value if
// it were left out. subtleZero knows the cases in which reflect does not
// decide.
func isZero(side Side, p *plan, v reflect.Value) bool {
	if p.typ == timeType {
		return v.Interface().(time.Time).IsZero()
	}
	if !subtleZero(side, p) {
		return v.IsZero()
	}
	switch p.shape {
	case leaf:
		switch {
		case p.typ == bigIntType:
			n := v.Interface().(big.Int)
			return n.Sign() == 0
		case isFloat(p.typ):
			return v.Float() == 0 && !math.Signbit(v.Float())
		}
	case opaque:
		return (side == Input || v.IsZero()) && encodesAsZero(side, p, v)
	case array:
		for i := range v.Len() {
			if !isZero(side, p.elem, v.Index(i)) {
				return false
			}
		}
		return true
	case structure:
		return !slices.ContainsFunc(p.fields, func(f field) bool {
			fv, ok := fieldOf(v, f.index)
			return ok && (throughPointer(p.typ, f.index) || !isZero(side, f.plan, fv))
		})
	}
	return v.Len() == 0
}

// encodesAsZero reports whether a value that marshals itself writes the same as
// its zero value. reflect cannot tell: the zero may have several forms, and -0
// in a struct is zero to reflect. If the value cannot be written, reflect
// decides.
func encodesAsZero(side Side, p *plan, v reflect.Value) bool {
	was, err := p.marshal(side, v)
	if err != nil {
		return v.IsZero()
	}
	zero, err := p.marshal(side, reflect.New(p.typ).Elem())
	return err == nil && bytes.Equal(was, zero)
}

// throughPointer reports whether an embedded pointer lies on the way to a
// field.
func throughPointer(t reflect.Type, index []int) bool {
	for _, n := range index[:len(index)-1] {
		if t = t.Field(n).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// subtleZero reports whether reflect's zero is not the zero of the encoding. A
// big.Int has several forms of zero, and a type that marshals itself may have.
// In inputs, empty values and zero times are zero, too, and fields that stay in
// the process do not count; in outputs, -0 is not zero.
func subtleZero(side Side, p *plan) bool {
	switch p.shape {
	case opaque:
		return true
	case slice, mapping:
		return side == Input
	case array:
		return subtleZero(side, p.elem)
	case structure:
		return len(p.kept) > 0 || slices.ContainsFunc(p.fields, func(f field) bool { return subtleZero(side, f.plan) })
	case leaf:
		if side == Input {
			return p.typ.Kind() == reflect.Slice || p.typ == timeType || p.typ == bigIntType
		}
		return isFloat(p.typ) || p.typ == bigIntType
	}
	return false
}

func isFloat(t reflect.Type) bool {
	return t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64
}
