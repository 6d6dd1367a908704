package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// decoder walks an encoding that is known to be well-formed.
type decoder struct {
	everywhere bool // also where the library alone would do: to find a path
}

func (c *Codec) walkDecode(data []byte, v reflect.Value, everywhere bool) error {
	if err := decMode.Wellformed(data); err != nil {
		return err
	}
	_, err := (&decoder{everywhere}).value(c.root, data, v)
	return err
}

// value decodes the first data item into v, which is settable and zero, and
// returns what comes after it.
func (d *decoder) value(p *plan, data []byte, v reflect.Value) (rest []byte, err error) {
	if p.direct && !d.everywhere || p.shape == leaf || p.shape == opaque {
		return unmarshalFirst(data, v)
	}
	if len(data) == 0 {
		return nil, errTruncated
	}
	if data[0] == null && p.shape != array && p.shape != structure {
		return data[1:], nil
	}
	switch p.shape {
	case pointer:
		v.Set(reflect.New(p.elem.typ))
		return d.value(p.elem, data, v.Elem())
	case slice, array:
		return d.list(p, data, v)
	case mapping:
		return d.mapping(p, data, v)
	case structure:
		return d.structure(p, data, v)
	default:
		return d.iface(p, data, v)
	}
}

func unmarshalFirst(data []byte, v reflect.Value) (rest []byte, err error) {
	defer caught(&err)
	return decMode.UnmarshalFirst(data, v.Addr().Interface())
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
	for range n {
		key, elem := reflect.New(p.key.typ).Elem(), reflect.New(p.elem.typ).Elem()
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
		var name string
		if name, data, err = text(data); err != nil {
			return nil, err
		}
		i, ok := p.byName[name]
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
		if i.name != name {
			continue
		}
		held := reflect.New(i.plan.typ).Elem()
		if data, err = d.value(i.plan, data, held); err != nil {
			return nil, at(err, "("+name+")")
		}
		v.Set(held)
		return data, nil
	}
	return nil, fmt.Errorf("it holds a %q, which is not registered for %v: register it with mops.RegisterType", name, p.typ)
}

// readTag reads a tag number.
func readTag(data []byte) (tag uint64, rest []byte, err error) {
	major, tag, rest, err := readHead(data)
	if err == nil && major != majorTag {
		err = fmt.Errorf("found a data item that starts with %#02x instead of a tag with a type's name and its value", data[0])
	}
	return tag, rest, err
}

// text reads a text string.
func text(data []byte) (s string, rest []byte, err error) {
	n, data, err := open(data, majorText, "a name")
	if err != nil {
		return "", nil, err
	}
	if n > len(data) {
		return "", nil, errTruncated
	}
	return string(data[:n]), data[n:], nil
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
