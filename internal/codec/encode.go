package codec

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unsafe"
)

// tagObject is the CBOR tag for "serialised language-independent object with
// type name and constructor arguments" (IANA registry of CBOR tags): an array
// of the type's name and, here, its one value. Interfaces are written so.
const tagObject = 27

// zeroTime is the zero time under a pointer. By itself it is encoded as null,
// which a pointer must keep for nil.
const zeroTime = "\xc0\x740001-01-01T00:00:00Z"

// encoder walks a value.
type encoder struct {
	codec      *Codec
	everywhere bool // also where the library alone would do: to find a path
	buf        bytes.Buffer
	trail      trail
}

func (c *Codec) walkEncode(v reflect.Value, everywhere bool) ([]byte, error) {
	e := encoder{codec: c, everywhere: everywhere}
	if err := e.value(c.root, v); err != nil {
		return nil, err
	}
	return e.buf.Bytes(), nil
}

func (e *encoder) head(major byte, n int) {
	e.buf.Write(appendHead(e.buf.AvailableBuffer(), major, uint64(n)))
}

func (e *encoder) value(p *plan, v reflect.Value) error {
	if p.direct && !e.everywhere || p.shape == leaf || p.shape == opaque {
		return e.library(p, v)
	}
	leave, err := e.trail.enter(p, v)
	if err != nil {
		return err
	}
	defer leave()
	switch p.shape {
	case pointer:
		return e.pointer(p, v)
	case slice, array:
		return e.list(p, v)
	case mapping:
		return e.mapping(p, v)
	case structure:
		return e.structure(p, v)
	default:
		return e.iface(p, v)
	}
}

// library encodes what the library does right alone.
func (e *encoder) library(p *plan, v reflect.Value) error {
	if e.trail.depth+p.nesting > MaxDepth {
		return errTooDeep
	}
	start := e.buf.Len()
	if err := e.codec.mode().MarshalToBuffer(argument(v), &e.buf); err != nil {
		return err
	}
	if e.buf.Len() > e.codec.maxSize {
		return e.codec.tooLarge(e.buf.Len())
	}
	if e.codec.side == Input && p.floats && !p.raw {
		unsignZeros(e.buf.Bytes()[start:])
	}
	return nil
}

func (e *encoder) pointer(p *plan, v reflect.Value) error {
	if v.IsNil() {
		return e.buf.WriteByte(null)
	}
	if p.elem.typ == timeType && v.Interface().(interface{ IsZero() bool }).IsZero() {
		_, err := e.buf.WriteString(zeroTime)
		return err
	}
	start := e.buf.Len()
	if err := e.value(p.elem, v.Elem()); err != nil {
		return err
	}
	if first := e.buf.Bytes()[start]; first == null || first == undefined {
		return fmt.Errorf("%v encodes itself as null, and so this pointer to it would come back as nil", p.elem.typ)
	}
	return nil
}

func (e *encoder) list(p *plan, v reflect.Value) error {
	if p.shape == slice && v.IsNil() && e.codec.side == Output {
		return e.buf.WriteByte(null)
	}
	e.head(majorArray, v.Len())
	for i := range v.Len() {
		if err := e.value(p.elem, v.Index(i)); err != nil {
			return at(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return nil
}

func (e *encoder) mapping(p *plan, v reflect.Value) error {
	if v.IsNil() && e.codec.side == Output {
		return e.buf.WriteByte(null)
	}
	entries, err := e.codec.sortedEntries(p, v)
	if err != nil {
		return err
	}
	e.head(majorMap, len(entries))
	elem := reflect.New(p.elem.typ).Elem() // so that it has an address
	for _, entry := range entries {
		e.buf.Write(entry.encoded)
		elem.Set(v.MapIndex(entry.key))
		if err := e.value(p.elem, elem); err != nil {
			return at(err, keyStep(entry.key))
		}
	}
	return nil
}

func (e *encoder) structure(p *plan, v reflect.Value) error {
	present := make([]reflect.Value, len(p.fields))
	n := 0
	for i, f := range p.fields {
		fv, ok := fieldOf(v, f.index)
		if !ok || f.omitEmpty && isEmpty(fv) || f.omitZero && isZero(e.codec.side, f.plan, fv) {
			continue
		}
		present[i] = fv
		n++
	}
	e.head(majorMap, n)
	for i, f := range p.fields {
		if !present[i].IsValid() {
			continue
		}
		e.buf.Write(f.head)
		if err := e.value(f.plan, present[i]); err != nil {
			return at(err, "."+f.goName)
		}
	}
	return nil
}

func (e *encoder) iface(p *plan, v reflect.Value) error {
	if v.IsNil() {
		return e.buf.WriteByte(null)
	}
	held := v.Elem()
	for _, i := range p.impls {
		if i.plan.typ != held.Type() {
			continue
		}
		e.head(majorTag, tagObject)
		e.head(majorArray, 2)
		e.head(majorText, len(i.name))
		e.buf.WriteString(i.name)
		return at(e.value(i.plan, held), "("+i.name+")")
	}
	return fmt.Errorf("it holds a %v, which is not registered for %v: register it with mops.RegisterType", held.Type(), p.typ)
}

// fieldOf finds a field; ok is false where an embedded pointer above it is nil.
func fieldOf(v reflect.Value, index []int) (f reflect.Value, ok bool) {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}

// isEmpty is omitempty as encoding/json has it, and the library.
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

// isZero is omitzero: what decodes as the zero value when it is left out. See
// subtleZero for what is not as it seems.
func isZero(side Side, p *plan, v reflect.Value) bool {
	if p.typ == timeType {
		return v.Interface().(interface{ IsZero() bool }).IsZero()
	}
	if !subtleZero(side, p) {
		return v.IsZero()
	}
	switch p.shape {
	case leaf:
		if isFloat(p.typ) {
			return v.Float() == 0 && !math.Signbit(v.Float())
		}
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

// throughPointer reports whether an embedded pointer lies on the way to a field.
func throughPointer(t reflect.Type, index []int) bool {
	for _, n := range index[:len(index)-1] {
		if t = t.Field(n).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

type entry struct {
	key     reflect.Value
	encoded []byte
}

// sortedEntries are the keys of a map in the order of their encoding.
func (c *Codec) sortedEntries(p *plan, v reflect.Value) ([]entry, error) {
	entries := make([]entry, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		k := encoder{codec: c}
		if err := k.value(p.key, iter.Key()); err != nil {
			return nil, at(err, "["+"key]")
		}
		entries = append(entries, entry{iter.Key(), k.buf.Bytes()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.encoded, b.encoded) })
	return entries, nil
}

// keyStep shows a map key in a path.
func keyStep(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return "[" + strconv.Quote(key.String()) + "]"
	}
	return fmt.Sprintf("[%v]", key)
}

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
