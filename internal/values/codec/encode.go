package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/x448/float16"
)

// tagObject is the CBOR tag for "serialised language-independent object with
// type name and constructor arguments" (IANA registry of CBOR tags): an array
// of the type's name and, here, its one value. It marks the value of an
// interface.
const tagObject = 27

// zeroTime is the encoding of a zero time under a pointer. A zero time by
// itself is null, which under a pointer means nil.
const zeroTime = "\xc0\x740001-01-01T00:00:00Z"

// encoder walks a value and writes it down.
type encoder struct {
	codec *Codec
	pace  pace
	buf   []byte
	trail trail
}

func (c *Codec) encode(ctx context.Context, v reflect.Value) (data []byte, err error) {
	room, err := c.measure(ctx, v)
	if err != nil {
		return nil, err
	}
	if c.large && !c.root.endless { // a growing buffer would copy a large value several times
		room = min(int64(size(c.root, v)), int64(c.maxSize))
	}
	e := encoder{codec: c, pace: pace{ended: ctx.Err}, buf: make([]byte, 0, room)}
	if err := calling(c.typ, func() error { return e.value(c.root, v) }); err != nil {
		return nil, err
	}
	if c.large && len(e.buf) < cap(e.buf)/8*7 {
		return bytes.Clone(e.buf), nil
	}
	return e.buf, nil
}

func (e *encoder) head(major byte, n int) { e.buf = appendHead(e.buf, major, uint64(n)) }

func (e *encoder) value(p *plan, v reflect.Value) error {
	if err := e.pace.step(); err != nil {
		return err
	}
	switch p.shape {
	case leaf:
		if err := e.leaf(p, v); err != nil {
			return err
		}
		return e.checkSize()
	case opaque:
		data, err := p.marshal(e.codec.side, v)
		if err != nil {
			return err
		}
		e.buf = append(e.buf, data...)
		return e.checkSize()
	}
	where, err := e.trail.enter(p, v)
	if err != nil {
		return err
	}
	defer e.trail.leave(p, where)
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

func (e *encoder) checkSize() error {
	if len(e.buf) > e.codec.maxSize {
		return e.codec.tooLarge(int64(len(e.buf)))
	}
	return nil
}

func (e *encoder) leaf(p *plan, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			e.buf = append(e.buf, simpleTrue)
		} else {
			e.buf = append(e.buf, simpleFalse)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := v.Int(); n < 0 {
			e.buf = appendHead(e.buf, majorNegative, uint64(^n))
		} else {
			e.buf = appendHead(e.buf, majorPositive, uint64(n))
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.buf = appendHead(e.buf, majorPositive, v.Uint())
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); !math.IsNaN(f) {
			e.float(f)
			return nil
		}
		return e.library(p, v) // it treats the bits of a NaN by its mode
	case reflect.String:
		e.head(majorText, v.Len())
		e.buf = append(e.buf, v.String()...)
	case reflect.Slice:
		if v.IsNil() && e.codec.side == Output {
			e.buf = append(e.buf, null)
			return nil
		}
		e.head(majorBytes, v.Len())
		e.buf = append(e.buf, v.Bytes()...)
	case reflect.Array:
		e.head(majorBytes, v.Len())
		e.buf = append(e.buf, addressable(v).Bytes()...)
	default: // a time or a big.Int
		return e.library(p, v)
	}
	return nil
}

// float writes the shortest form that is exact (RFC 8949, section 4.2.1).
func (e *encoder) float(f float64) {
	if f == 0 && e.codec.side == Input {
		f = 0 // and not -0
	}
	single := float32(f)
	half := float16.Fromfloat32(single)
	switch {
	case float64(single) != f:
		e.buf = binary.BigEndian.AppendUint64(append(e.buf, floatDouble), math.Float64bits(f))
	case half.Float32() != single:
		e.buf = binary.BigEndian.AppendUint32(append(e.buf, floatSingle), math.Float32bits(single))
	default:
		e.buf = binary.BigEndian.AppendUint16(append(e.buf, floatHalf), half.Bits())
	}
}

// library leaves a leaf to the library.
func (e *encoder) library(p *plan, v reflect.Value) error {
	return calling(p.typ, func() error {
		data, err := encModes[e.codec.side].Marshal(argument(v))
		e.buf = append(e.buf, data...)
		return err
	})
}

func (e *encoder) pointer(p *plan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, null)
		return nil
	}
	if p.elem.typ == timeType && v.Interface().(interface{ IsZero() bool }).IsZero() {
		e.buf = append(e.buf, zeroTime...)
		return nil
	}
	start := len(e.buf)
	if err := e.value(p.elem, v.Elem()); err != nil {
		return err
	}
	if first := e.buf[start]; first == null || first == undefined {
		return fmt.Errorf("%v encodes itself as null, and so this pointer to it would come back as nil", p.elem.typ)
	}
	return nil
}

func (e *encoder) list(p *plan, v reflect.Value) error {
	if p.shape == slice && v.IsNil() && e.codec.side == Output {
		e.buf = append(e.buf, null)
		return nil
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
		e.buf = append(e.buf, null)
		return nil
	}
	entries, err := e.codec.sortedEntries(p, v)
	if err != nil {
		return err
	}
	e.head(majorMap, len(entries))
	for _, entry := range entries {
		e.buf = append(e.buf, entry.encoded...)
		if err := e.value(p.elem, entry.value); err != nil {
			return at(err, keyStep(entry.key))
		}
	}
	return nil
}

func (e *encoder) structure(p *plan, v reflect.Value) error {
	var few [16]reflect.Value // enough for most structs, without allocating
	present := few[:0]
	n := 0
	for i := range p.fields {
		f := &p.fields[i]
		fv, ok := fieldOf(v, f.index)
		if !ok || f.omitted(e.codec.side, fv) {
			fv = reflect.Value{}
		} else {
			n++
		}
		present = append(present, fv)
	}
	e.head(majorMap, n)
	for i := range p.fields {
		if !present[i].IsValid() {
			continue
		}
		f := &p.fields[i]
		e.buf = append(e.buf, f.head...)
		if err := e.value(f.plan, present[i]); err != nil {
			return at(err, "."+f.goName)
		}
	}
	return nil
}

func (e *encoder) iface(p *plan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, null)
		return nil
	}
	held, i, ok := p.held(v)
	if !ok {
		return fmt.Errorf("it holds a %v, which is not registered for %v: register it with mops.RegisterType", v.Elem().Type(), p.typ)
	}
	e.head(majorTag, tagObject)
	e.head(majorArray, 2)
	e.head(majorText, len(i.name))
	e.buf = append(e.buf, i.name...)
	return at(e.value(i.plan, held), "("+i.name+")")
}

// held is the value in an interface, if its type is registered.
func (p *plan) held(v reflect.Value) (held reflect.Value, of impl, ok bool) {
	if held = v.Elem(); held.IsValid() {
		for _, of = range p.impls {
			if of.plan.typ == held.Type() {
				return held, of, true
			}
		}
	}
	return held, of, false
}

// fieldOf finds a field; ok is false if an embedded pointer above it is nil.
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

type entry struct {
	key, value reflect.Value // copies, which have an address
	encoded    []byte        // the key
}

// sortedEntries are the entries of a map in the order of their encoding.
func (c *Codec) sortedEntries(p *plan, v reflect.Value) ([]entry, error) {
	n := v.Len()
	entries := make([]entry, n)
	keys, values := reflect.MakeSlice(reflect.SliceOf(p.key.typ), n, n), reflect.MakeSlice(reflect.SliceOf(p.elem.typ), n, n)
	k := encoder{codec: c, pace: pace{ended: func() error { return nil }}} // keys are short
	for i, iter := 0, v.MapRange(); iter.Next(); i++ {
		key, value, start := keys.Index(i), values.Index(i), len(k.buf)
		key.SetIterKey(iter)
		value.SetIterValue(iter)
		if err := k.value(p.key, key); err != nil {
			return nil, at(err, "[key]")
		}
		entries[i] = entry{key, value, k.buf[start:len(k.buf):len(k.buf)]}
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

// mostHead is the length of the longest head (RFC 8949, section 3), and so of
// the longest number, in bytes.
const mostHead = 9

// size is roughly the most bytes that a value takes, for types that do not
// contain themselves. It does not count values that marshal themselves.
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
