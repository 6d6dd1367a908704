package codec

import (
	"bytes"
	"reflect"
	"testing"
)

func codecFor(t testing.TB, typ reflect.Type, side Side, types *Types) *Codec {
	t.Helper()
	c, err := For(typ, side, types)
	if err != nil {
		t.Fatalf("For(%v): %v", typ, err)
	}
	return c
}

func encoded(t testing.TB, side Side, types *Types, v any) []byte {
	t.Helper()
	data, err := codecFor(t, reflect.TypeOf(v), side, types).Encode(t.Context(), reflect.ValueOf(v))
	if err != nil {
		t.Fatalf("Encode(%#v): %v", v, err)
	}
	return data
}

// decoded decodes data, in memory that is used for something else afterwards: a value
// keeps none of it.
func decoded(t testing.TB, c *Codec, data []byte, into reflect.Value) error {
	lent := bytes.Clone(data)
	err := c.Decode(t.Context(), lent, into)
	for i := range lent {
		lent[i] ^= 0xff
	}
	return err
}

// returned is v after encoding and decoding.
func returned[T any](t testing.TB, side Side, types *Types, v T) T {
	t.Helper()
	c := codecFor(t, reflect.TypeFor[T](), side, types)
	in := reflect.ValueOf(&v).Elem()
	data, err := c.Encode(t.Context(), in)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", v, err)
	}
	agrees(t, c, in, data)
	var out T
	if err := decoded(t, c, data, reflect.ValueOf(&out)); err != nil {
		t.Fatalf("Decode(%x) of %#v: %v", data, v, err)
	}
	again, err := c.Encode(t.Context(), reflect.ValueOf(&out).Elem())
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("%#v is %x, but once decoded %x (%v)", v, data, again, err)
	}
	return out
}
