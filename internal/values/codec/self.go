package codec

import (
	"encoding"
	"fmt"
	"math/big"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	bigIntType   = reflect.TypeFor[big.Int]()
	bigFloatType = reflect.TypeFor[big.Float]()
	rawTypes     = []reflect.Type{reflect.TypeFor[cbor.Tag](), reflect.TypeFor[cbor.SimpleValue]()}
)

// form is how a type marshals itself.
type form string

const (
	formNone   form = ""
	formCBOR   form = "cbor"
	formBinary form = "binary"
	formText   form = "text"
)

type marshaling struct {
	form             form
	marshal          reflect.Type
	unmarshal        reflect.Type
	method, opposite string
}

// In the order in which the library looks for them.
var marshalings = []marshaling{
	{formCBOR, reflect.TypeFor[cbor.Marshaler](), reflect.TypeFor[cbor.Unmarshaler](), "MarshalCBOR", "UnmarshalCBOR"},
	{formBinary, reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](), "MarshalBinary", "UnmarshalBinary"},
	{formText, reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), "MarshalText", "UnmarshalText"},
}

// selfForm tells how a type that is no pointer marshals itself. Like the
// library it counts methods on the pointer, since it can always take one.
// reason and mend are set if the type marshals itself, but would not come back.
func selfForm(t reflect.Type) (f form, reason, mend string) {
	if t.Kind() == reflect.Interface {
		return formNone, "", ""
	}
	ptr := reflect.PointerTo(t)
	for _, m := range marshalings {
		to, from := ptr.Implements(m.marshal), ptr.Implements(m.unmarshal)
		switch {
		case to && !from:
			return formNone, fmt.Sprintf("it has %s but no %s, so it could be written and never read", m.method, m.opposite), "add " + m.opposite
		case !to && from && m.form.catches(t):
			return formNone, fmt.Sprintf("it has %s but no %s, so it would be read otherwise than written", m.opposite, m.method), "add " + m.method
		case to && from:
			if reason := m.lent(t); reason != "" {
				return formNone, reason, "give the embedded field a name, or the struct a " + m.method + " and " + m.opposite + " of its own"
			}
			return m.form, "", ""
		}
	}
	return formNone, "", ""
}

func (f form) marshaling() marshaling {
	return marshalings[slices.IndexFunc(marshalings, func(m marshaling) bool { return m.form == f })]
}

// catches reports whether the library would call a lone Unmarshal method with
// the encoding of the type's kind.
func (f form) catches(t reflect.Type) bool {
	switch f {
	case formCBOR:
		return true
	case formBinary:
		return isBytes(t)
	default:
		return t.Kind() == reflect.String
	}
}

func isBytes(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8
}

// lent follows methods that a struct has only by embedding down to the type
// that declares them, and says what would be lost on the way.
func (m marshaling) lent(t reflect.Type) (reason string) {
	for {
		method := m.method
		if !promoted(t, m.marshal, method) {
			if method = m.opposite; !promoted(t, m.unmarshal, method) {
				return ""
			}
		}
		only, alone := onlyField(t)
		if !alone {
			return fmt.Sprintf("its %s is that of an embedded field, so all other fields of %v would be lost", method, t)
		}
		readsThrough := promoted(t, m.unmarshal, m.opposite)
		switch t = only.Type; t.Kind() {
		case reflect.Interface, reflect.Pointer:
			if readsThrough {
				return fmt.Sprintf("its %s is that of an embedded %v, which is nil in a new value, so it could be written and never read", m.opposite, t)
			}
			if t.Kind() == reflect.Interface {
				return ""
			}
			t = t.Elem()
		}
	}
}

// lender is the type that declares the marshal method of t: t itself, or an
// embedded type.
func (m marshaling) lender(t reflect.Type) reflect.Type {
	for promoted(t, m.marshal, m.method) {
		only, _ := onlyField(t)
		if t = only.Type; t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	return t
}

// onlyField is the field of a struct that has just one, apart from those named
// _.
func onlyField(t reflect.Type) (only reflect.StructField, alone bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Name != "_" {
			if alone {
				return only, false
			}
			only, alone = f, true
		}
	}
	return only, alone
}

// promoted reports whether a struct has a method of an interface only by
// embedding. In doubt it says yes.
func promoted(t, iface reflect.Type, method string) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	embeds := false
	for i := range t.NumField() {
		f := t.Field(i)
		embeds = embeds || f.Anonymous && (f.Type.Implements(iface) || reflect.PointerTo(f.Type).Implements(iface))
	}
	return embeds && !declares(t, t, method) && !declares(reflect.PointerTo(t), t, method)
}

// declares reports whether a method of t, or of a pointer to it, is declared
// for t. For a promoted method the compiler makes a wrapper that lies in no
// file, or that begins with the inlined method of another type.
func declares(receiver, t reflect.Type, method string) bool {
	m, ok := receiver.MethodByName(method)
	if !ok {
		return false
	}
	fn := runtime.FuncForPC(m.Func.Pointer())
	if fn == nil {
		return false
	}
	if file, _ := fn.FileLine(m.Func.Pointer()); file == "<autogenerated>" {
		return false
	}
	dir, base := path.Split(t.PkgPath())
	pkg := dir + strings.ReplaceAll(base, ".", "%2e") // as the linker has it
	name, _, _ := strings.Cut(t.Name(), "[")          // without type arguments
	written := strings.ReplaceAll(fn.Name(), "[...]", "")
	return written == pkg+"."+name+"."+method || written == pkg+".(*"+name+")."+method
}

func fullName(t reflect.Type) string {
	if t.Name() == "" || t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}
