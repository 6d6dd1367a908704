// Package codec turns the inputs and outputs of functions into bytes and back:
// deterministic CBOR (RFC 8949) that loses nothing. It stands between the Go
// types of a user's function and the records that orchestrator and worker
// exchange; it knows neither stores nor functions.
//
// [For] judges a type once, before any call. It refuses a type whose values
// could not come back as they were, and says where in the type and what to do
// instead. It makes a plan of the type, and everything that the codec does with
// a value is a walk along the plan: encoding, decoding, measuring, visiting,
// cloning. The walk writes and reads numbers, strings, maps and lists; it
// leaves times, big numbers and types that marshal themselves to
// github.com/fxamacker/cbor, which also checks that data is well-formed before
// the walk reads it.
//
// The library could not encode all by itself. It does not handle
//
//   - interfaces, which carry the registered name of the type that they hold,
//   - types that contain themselves, whose depth must be watched,
//   - structs with fields that stay in the process (mops:"-"),
//   - omitzero fields whose zero value has several forms,
//   - pointers to values that CBOR could not tell from a nil pointer,
//   - -0, which is +0 in an input,
//   - well-known types whose own methods lose something (see remedies),
//   - values so large that the library would not heed a context in time.
//
// All other types the library encodes just like the walk, byte for byte, and in
// the first releases it did: such bytes are in stores and in memo keys. The
// tests hold the walk to them, with random types and values (agrees in
// library_test.go).
//
// Inputs are canonical, so that equal inputs have one encoding: -0 is +0, there
// is one NaN, nil and empty are alike. Outputs are faithful: all of these are
// kept apart. Times become RFC 3339 with nanoseconds in UTC: the instant is
// kept, the location and the monotonic clock are not. Pointers that share a
// value come back as pointers to copies; before encoding, the codec counts how
// much that makes. A panic in a type's own methods is an error of the value.
//
// A type may stand for a value that is encoded apart ([Types.Share]): that
// value is planned along with it, and always encoded as inputs are.
package codec

import (
	"context"
	"fmt"
	"reflect"

	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// Side is the use of a type: for inputs or for outputs.
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

// Limits, the same when encoding and when decoding. Only the size limits the
// number of elements.
const (
	// MaxSize is the length of the longest encoded value, in bytes.
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
	large       bool // its values are probably large
	kept        [][]int
	fingerprint string
	schema      schema.Graph
	maxSize     int
}

// For makes the codec of a type. types, which may be nil, says which types
// interfaces may hold. An error is a *[TypeError].
func For(typ reflect.Type, side Side, types *Types) (*Codec, error) {
	b := &planner{side: side, types: types, plans: map[reflect.Type]*plan{}}
	return b.codec(typ, side.root(), side.root())
}

// codec plans a type. at is its place in a larger type, for a TypeError; the
// paths of its values' errors begin with path.
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
	c := &Codec{typ: typ, side: b.side, path: path, large: b.apart, root: root, kept: kept, fingerprint: fingerprint(root), schema: schemaOf(root), maxSize: MaxSize}
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
// of fields on the wire, kinds, and parts. It does not depend on the names and
// places of types, nor on the order of fields, nor on omitzero fields. Types
// that marshal themselves count by their full name, types in interfaces by
// their registered name, too.
func (c *Codec) Fingerprint() string { return c.fingerprint }

// Schema describes the parts that the fingerprint leaves out. Callers must not
// change it.
func (c *Codec) Schema() schema.Graph { return c.schema }

// Encode returns the encoding of v, a value of the codec's type. An error is a
// *[ValueError] with the path. If ctx ends meanwhile, Encode stops, and the
// error wraps that of ctx.
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

func (c *Codec) tooLarge(size int64) error {
	return fmt.Errorf("it takes %d bytes or more, and the limit is %d: pass big things as files (mops.File)", size, c.maxSize)
}

// prove checks that types that marshal themselves wrote something that can be
// read again.
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

// Decode sets the value that into points to, which is of the codec's type, to
// the decoded one, which keeps nothing of data. An error is a *[ValueError]; then
// the value is zero. If ctx ends meanwhile, Decode stops, and the error wraps that
// of ctx. A field in data that the type does not have is an error.
func (c *Codec) Decode(ctx context.Context, data []byte, into reflect.Value) error {
	return c.decodeInto(ctx, data, into, strict)
}

// DecodeKnown is Decode for data of a program whose type may have more fields:
// it leaves those out.
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

// Shares reports whether the codec's type holds types that stand for a value.
func (c *Codec) Shares() bool { return len(c.shared) > 0 }

// Shared is the codec of the value that typ stands for, which may be anywhere
// in the codec's own type; nil if it stands for none. The paths in its errors
// begin below that value, so they continue those of a Visit.
func (c *Codec) Shared(typ reflect.Type) *Codec { return c.shared[typ] }
