package codec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/fxamacker/cbor/v2"
	"github.com/x448/float16"
)

// decoder walks an encoding that is known to be well-formed.
type decoder struct {
	fields unknown
	pace   pace
}

// unknown is how to treat fields that a type does not have.
type unknown int

const (
	strict  unknown = iota // they are an error: nothing that counts may get lost
	lenient                // they are left out
)

func (c *Codec) decode(ctx context.Context, data []byte, v reflect.Value, fields unknown) error {
	if err := decMode.Wellformed(data); err != nil {
		return err
	}
	if c.root.foreign { // its methods may keep the data, though they must not
		data = bytes.Clone(data)
	}
	d := decoder{fields: fields, pace: pace{ended: ctx.Err}}
	return calling(c.typ, func() error {
		_, err := d.value(c.root, data, v)
		return err
	})
}

// value decodes the first data item into v, which is settable and zero, and
// returns the rest of data.
func (d *decoder) value(p *plan, data []byte, v reflect.Value) (rest []byte, err error) {
	if err := d.pace.step(); err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errTruncated
	}
	switch p.shape {
	case leaf:
		return d.leaf(p, data, v)
	case opaque:
		return p.unmarshal(data, v, d.fields)
	case array:
		return d.list(p, data, v)
	case structure:
		return d.structure(p, data, v)
	}
	if data[0] == null {
		return data[1:], nil
	}
	switch p.shape {
	case pointer:
		v.Set(reflect.New(p.elem.typ))
		return d.value(p.elem, data, v.Elem())
	case slice:
		return d.list(p, data, v)
	case mapping:
		return d.mapping(p, data, v)
	default:
		return d.iface(p, data, v)
	}
}

// leaf decodes the most frequent leaves in the forms that the encoder writes.
// The library decodes all others, and reports errors.
func (d *decoder) leaf(p *plan, data []byte, v reflect.Value) (rest []byte, err error) {
	major, n, rest, err := readHead(data)
	if err != nil {
		return nil, err
	}
	switch {
	case major == majorPositive && v.CanUint() && !v.OverflowUint(n):
		v.SetUint(n)
		return rest, nil
	case major == majorPositive && v.CanInt() && n <= math.MaxInt64 && !v.OverflowInt(int64(n)):
		v.SetInt(int64(n))
		return rest, nil
	case major == majorNegative && v.CanInt() && n <= math.MaxInt64 && !v.OverflowInt(^int64(n)):
		v.SetInt(^int64(n))
		return rest, nil
	case major == majorText && v.Kind() == reflect.String && n <= uint64(len(rest)):
		v.SetString(string(rest[:n]))
		return rest[n:], nil
	case v.Kind() == reflect.Bool && (data[0] == simpleFalse || data[0] == simpleTrue):
		v.SetBool(data[0] == simpleTrue)
		return rest, nil
	case data[0] == floatDouble && v.Kind() == reflect.Float64:
		v.SetFloat(math.Float64frombits(n))
		return rest, nil
	case data[0] == floatHalf && v.CanFloat():
		v.SetFloat(float64(float16.Frombits(uint16(n)).Float32()))
		return rest, nil
	}
	return p.unmarshal(data, v, d.fields)
}

// open reads the head of a data item of the wanted major type.
func open(data []byte, major byte, want string) (n int, rest []byte, err error) {
	got, size, rest, err := readHead(data)
	if err == nil && (got != major || size > uint64(len(data))) {
		err = fmt.Errorf("found a data item that starts with %#02x instead of %s", data[0], want)
	}
	return int(size), rest, err
}

func (d *decoder) list(p *plan, data []byte, v reflect.Value) ([]byte, error) {
	n, data, err := open(data, majorArray, "an array")
	if err != nil {
		return nil, err
	}
	if p.shape == array && n != v.Len() {
		return nil, fmt.Errorf("found %d elements instead of %d", n, v.Len())
	}
	if p.shape == slice {
		v.Set(reflect.MakeSlice(p.typ, n, n))
	}
	for i := range n {
		if data, err = d.value(p.elem, data, v.Index(i)); err != nil {
			return nil, at(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return data, nil
}

func (d *decoder) mapping(p *plan, data []byte, v reflect.Value) ([]byte, error) {
	n, data, err := open(data, majorMap, "a map")
	if err != nil {
		return nil, err
	}
	v.Set(reflect.MakeMap(p.typ))
	key, elem := reflect.New(p.key.typ).Elem(), reflect.New(p.elem.typ).Elem()
	for range n {
		key.SetZero()
		elem.SetZero()
		if data, err = d.value(p.key, data, key); err != nil {
			return nil, at(err, "[key]")
		}
		if v.MapIndex(key).IsValid() {
			return nil, at(errors.New("the map has this key twice"), keyStep(key))
		}
		if data, err = d.value(p.elem, data, elem); err != nil {
			return nil, at(err, keyStep(key))
		}
		v.SetMapIndex(key, elem)
	}
	return data, nil
}

func (d *decoder) structure(p *plan, data []byte, v reflect.Value) ([]byte, error) {
	n, data, err := open(data, majorMap, "a map of fields")
	if err != nil {
		return nil, err
	}
	seen := make([]bool, len(p.fields))
	for range n {
		var name []byte
		if name, data, err = text(data); err != nil {
			return nil, err
		}
		i, ok := p.byName[string(name)]
		if !ok && d.fields == lenient {
			if data, err = decMode.UnmarshalFirst(data, new(cbor.RawMessage)); err != nil {
				return nil, at(err, "."+string(name))
			}
			continue
		}
		if !ok {
			return nil, fmt.Errorf("there is a field %q, which %v does not have (any more)", name, p.typ)
		}
		f := p.fields[i]
		if seen[i] {
			return nil, at(errors.New("the field is there twice"), "."+f.goName)
		}
		seen[i] = true
		if data, err = d.value(f.plan, data, makeField(v, f.index)); err != nil {
			return nil, at(err, "."+f.goName)
		}
	}
	return data, nil
}

func (d *decoder) iface(p *plan, data []byte, v reflect.Value) ([]byte, error) {
	tag, data, err := readTag(data)
	if err != nil {
		return nil, err
	}
	n, data, err := open(data, majorArray, "an array of a type's name and its value")
	if err != nil {
		return nil, err
	}
	if tag != tagObject || n != 2 {
		return nil, fmt.Errorf("found tag %d with %d elements instead of tag %d with a type's name and its value", tag, n, tagObject)
	}
	name, data, err := text(data)
	if err != nil {
		return nil, err
	}
	for _, i := range p.impls {
		if i.name != string(name) {
			continue
		}
		held := reflect.New(i.plan.typ).Elem()
		if data, err = d.value(i.plan, data, held); err != nil {
			return nil, at(err, "("+i.name+")")
		}
		v.Set(held)
		return data, nil
	}
	return nil, fmt.Errorf("it holds a %q, which is not registered for %v: register it with mops.RegisterType", name, p.typ)
}

func readTag(data []byte) (tag uint64, rest []byte, err error) {
	major, tag, rest, err := readHead(data)
	if err == nil && major != majorTag {
		err = fmt.Errorf("found a data item that starts with %#02x instead of a tag with a type's name and its value", data[0])
	}
	return tag, rest, err
}

func text(data []byte) (s, rest []byte, err error) {
	n, data, err := open(data, majorText, "a name")
	if err != nil {
		return nil, nil, err
	}
	if n > len(data) {
		return nil, nil, errTruncated
	}
	return data[:n], data[n:], nil
}

// makeField finds a field, and makes the embedded structs on the way to it.
func makeField(v reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}
