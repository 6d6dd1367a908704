package codec

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"github.com/TrilliantHealth/mops-go/internal/schema"
	"github.com/fxamacker/cbor/v2"
)

// Side says what a type is used for.
type Side int

const (
	// Input is canonical: equal values have one encoding.
	Input Side = iota
	// Output is faithful: a value comes back as it was.
	Output
)

// root is the name of the whole value in paths.
func (s Side) root() string {
	if s == Output {
		return "Out"
	}
	return "In"
}

// Limits, the same when encoding and when decoding. The number of elements is
// limited only by the size.
const (
	// MaxSize is how long an encoded value may be, in bytes.
	MaxSize = 1 << 30
	// MaxDepth is how deep arrays and maps may be nested.
	MaxDepth = 10_000
)

// Codec encodes and decodes values of one type. It is immutable, and so safe
// for concurrent use.
type Codec struct {
	typ         reflect.Type
	side        Side
	path        string // of the whole value, in errors
	root        *plan
	shared      map[reflect.Type]*Codec
	large       bool // its values are expected to be large
	kept        [][]int
	fingerprint string
	schema      schema.Graph
	maxSize     int
	longPiece   int // in bytes: what is longer is encoded and decoded in parts
}

// For makes the codec of a type. Types, which may be nil, is what it knows of
// interfaces. An error is a *[TypeError].
func For(typ reflect.Type, side Side, types *Types) (*Codec, error) {
	b := &planner{side: side, types: types, plans: map[reflect.Type]*plan{}}
	return b.codec(typ, side.root(), side.root())
}

// codec plans a type. At is its place in a larger one, for what is wrong with
// it, and path what the paths in errors of its values begin with.
func (b *planner) codec(typ reflect.Type, at, path string) (*Codec, error) {
	root, err := b.plan(typ, at)
	if err != nil {
		return nil, err
	}
	kept, err := checkKept(root, at, nil, !b.apart, map[*plan]bool{})
	if err != nil {
		return nil, err
	}
	b.facts()
	c := &Codec{typ: typ, side: b.side, path: path, large: b.apart, root: root, kept: kept, fingerprint: fingerprint(root), schema: schemaOf(root), maxSize: MaxSize, longPiece: longPiece}
	for t, p := range b.plans {
		if p.shared != nil {
			if c.shared == nil {
				c.shared = map[reflect.Type]*Codec{}
			}
			c.shared[t] = p.shared
		}
	}
	return c, nil
}

// Type is the type that the codec is for.
func (c *Codec) Type() reflect.Type { return c.typ }

// Fingerprint is a SHA-256 in hexadecimal over the structure of the type: names
// of fields on the wire, kinds, and what they are made of. It does not change
// with the names and places of types, nor with the order of fields, nor when an
// omitzero field is added. Types that marshal themselves count by their full
// name, types in interfaces by their registered name too.
func (c *Codec) Fingerprint() string { return c.fingerprint }

// Schema describes what the fingerprint leaves out. It must not be changed.
func (c *Codec) Schema() schema.Graph { return c.schema }

// Encode returns the encoding of v, a value of the codec's type. An error is a
// *[ValueError] with the path; it wraps that of ctx, which is heeded meanwhile.
func (c *Codec) Encode(ctx context.Context, v reflect.Value) ([]byte, error) {
	if v.Type() != c.typ {
		return nil, fmt.Errorf("encode: got a %v where the codec is for %v", v.Type(), c.typ)
	}
	data, err := c.encode(ctx, v)
	if err != nil {
		return nil, valueError(c.path, err)
	}
	if len(data) > c.maxSize {
		return nil, valueError(c.path, c.tooLarge(int64(len(data))))
	}
	if c.root.raw || c.root.verify {
		if err := c.prove(ctx, data); err != nil {
			return nil, valueError(c.path, err)
		}
	}
	return data, nil
}

func (c *Codec) encode(ctx context.Context, v reflect.Value) (data []byte, err error) {
	x, err := c.measure(ctx, v)
	if err != nil {
		return nil, err
	}
	parts := x.size > int64(c.longPiece) || x.opaque > manyOpaque
	alone := c.root.direct && !c.large && !parts
	if alone {
		err = calling(c.typ, func() error {
			data, err = c.mode().Marshal(argument(v))
			return err
		})
	} else {
		data, err = c.walkEncode(ctx, v, parts, false)
	}
	if err != nil {
		if _, located := c.walkEncode(ctx, v, parts, true); located != nil {
			err = located
		}
		return nil, err
	}
	if alone && c.side == Input && c.root.floats {
		unsignZeros(data)
	}
	return data, nil
}

func (c *Codec) tooLarge(size int64) error {
	return fmt.Errorf("it takes %d bytes or more, and the limit is %d: pass big things as files (mops.File)", size, c.maxSize)
}

// prove checks what types that marshal themselves may break: that what was
// written can be read.
func (c *Codec) prove(ctx context.Context, data []byte) error {
	if err := decMode.Wellformed(data); err != nil {
		return fmt.Errorf("a type that marshals itself wrote what cannot be read again: %w", err)
	}
	if !c.root.verify {
		return nil
	}
	if err := c.decode(ctx, data, reflect.New(c.typ).Elem(), strict); err != nil {
		return withReason(err, "a type that marshals itself does not read what it wrote")
	}
	return nil
}

func withReason(err error, reason string) error {
	if e, ok := err.(*pathError); ok {
		e.err = fmt.Errorf("%s: %w", reason, e.err)
		return e
	}
	return fmt.Errorf("%s: %w", reason, err)
}

// Decode sets what into points to, a value of the codec's type, to what was
// encoded. After an error, which is a *[ValueError], that is the zero value; it
// wraps that of ctx, which is heeded meanwhile.
func (c *Codec) Decode(ctx context.Context, data []byte, into reflect.Value) error {
	return c.decodeInto(ctx, data, into, strict)
}

// DecodeKnown is Decode for what a program may have encoded whose type has more
// fields: those are left out.
func (c *Codec) DecodeKnown(ctx context.Context, data []byte, into reflect.Value) error {
	return c.decodeInto(ctx, data, into, lenient)
}

func (c *Codec) decodeInto(ctx context.Context, data []byte, into reflect.Value, fields unknown) error {
	if into.Kind() != reflect.Pointer || into.IsNil() || into.Type().Elem() != c.typ {
		return fmt.Errorf("decode: got a %v where a pointer to %v is needed", into.Type(), c.typ)
	}
	into = into.Elem()
	into.SetZero()
	if len(data) > c.maxSize {
		return valueError(c.path, c.tooLarge(int64(len(data))))
	}
	if err := c.decode(ctx, data, into, fields); err != nil {
		into.SetZero()
		return valueError(c.path, err)
	}
	return nil
}

func (c *Codec) decode(ctx context.Context, data []byte, v reflect.Value, fields unknown) (err error) {
	if c.root.foreign { // its methods may keep what they are given, though they must not
		data = bytes.Clone(data)
	}
	d := decoder{fields: fields, parts: len(data) > c.longPiece}
	if c.root.direct && !d.parts {
		err = calling(c.typ, func() error { return decModes[fields].Unmarshal(data, v.Addr().Interface()) })
	} else {
		err = c.walkDecode(ctx, data, v, d)
	}
	if err != nil {
		v.SetZero()
		d.everywhere = true
		if located := c.walkDecode(ctx, data, v, d); located != nil {
			err = located
		}
	}
	return err
}

// Kept is the path of the first field tagged mops:"-" that is not zero in v, or "".
func (c *Codec) Kept(v reflect.Value) string {
	for _, index := range c.kept {
		if v.FieldByIndex(index).IsZero() {
			continue
		}
		path := c.path
		for i := range index {
			path += "." + v.Type().FieldByIndex(index[:i+1]).Name
		}
		return path
	}
	return ""
}

func (c *Codec) mode() cbor.UserBufferEncMode { return encModes[c.side] }

// argument is v for the library: by address, where it has one, to copy nothing.
func argument(v reflect.Value) any {
	if v.CanAddr() {
		return v.Addr().Interface()
	}
	return v.Interface()
}
