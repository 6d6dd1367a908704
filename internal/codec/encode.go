package codec

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
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
	parts      bool // also where it would take too long in one piece
	pace       pace
	buf        bytes.Buffer
	trail      trail
}

func (c *Codec) walkEncode(ctx context.Context, v reflect.Value, parts, everywhere bool) ([]byte, error) {
	e := encoder{codec: c, parts: parts, everywhere: everywhere, pace: pace{ended: ctx.Err}}
	err := calling(c.typ, func() error {
		if c.large && c.root.direct && !everywhere {
			e.buf.Grow(min(size(c.root, v), c.maxSize))
		}
		return e.value(c.root, v)
	})
	if err != nil {
		return nil, err
	}
	data := e.buf.Bytes()
	if c.large && len(data) < cap(data)/8*7 {
		data = bytes.Clone(data)
	}
	return data, nil
}

func (e *encoder) head(major byte, n int) {
	e.buf.Write(appendHead(e.buf.AvailableBuffer(), major, uint64(n)))
}

func (e *encoder) value(p *plan, v reflect.Value) error {
	if p.direct && !e.everywhere && !e.byParts(p, v) || p.shape == leaf || p.shape == opaque {
		return e.library(p, v)
	}
	if err := e.pace.step(); err != nil {
		return err
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

// library encodes what the library does right alone.
func (e *encoder) library(p *plan, v reflect.Value) error {
	if e.trail.depth+p.nesting > MaxDepth {
		return errTooDeep
	}
	if err := e.pace.step(); err != nil {
		return err
	}
	start := e.buf.Len()
	var err error
	if p.shape == opaque {
		var data []byte
		data, err = p.marshal(e.codec.side, v)
		e.buf.Write(data)
	} else {
		err = calling(p.typ, func() error { return e.codec.mode().MarshalToBuffer(argument(v), &e.buf) })
	}
	if err != nil {
		return err
	}
	if e.buf.Len() > e.codec.maxSize {
		return e.codec.tooLarge(int64(e.buf.Len()))
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
		if err := e.element(p, v, v.Index(i)); err != nil {
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
		if err := e.element(p, v, elem); err != nil {
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
		if !ok || f.omitted(e.codec.side, fv) {
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
	held, i, ok := p.held(v)
	if !ok {
		return fmt.Errorf("it holds a %v, which is not registered for %v: register it with mops.RegisterType", v.Elem().Type(), p.typ)
	}
	e.head(majorTag, tagObject)
	e.head(majorArray, 2)
	e.head(majorText, len(i.name))
	e.buf.WriteString(i.name)
	return at(e.value(i.plan, held), "("+i.name+")")
}

// held is what an interface holds, if that is registered.
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

type entry struct {
	key     reflect.Value
	encoded []byte
}

// sortedEntries are the keys of a map in the order of their encoding.
func (c *Codec) sortedEntries(p *plan, v reflect.Value) ([]entry, error) {
	entries := make([]entry, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		k := encoder{codec: c, pace: pace{ended: func() error { return nil }}} // it is short
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
