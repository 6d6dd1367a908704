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
	data, err := codecFor(t, reflect.TypeOf(v), side, types).Encode(reflect.ValueOf(v))
	if err != nil {
		t.Fatalf("Encode(%#v): %v", v, err)
	}
	return data
}

// returned is v after encoding and decoding. On the way it proves that the
// library alone, where it may work alone, and the walk give the same bytes and
// the same value.
func returned[T any](t testing.TB, side Side, types *Types, v T) T {
	t.Helper()
	c := codecFor(t, reflect.TypeFor[T](), side, types)
	in := reflect.ValueOf(&v).Elem()
	data, err := c.Encode(in)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", v, err)
	}
	walked, err := c.walkEncode(in, true)
	if err != nil || !bytes.Equal(walked, data) {
		t.Errorf("Encode(%#v): the walk gives %x, %v instead of %x", v, walked, err, data)
	}
	var out, walkedOut T
	if err := c.Decode(data, reflect.ValueOf(&out)); err != nil {
		t.Fatalf("Decode(%x) of %#v: %v", data, v, err)
	}
	if err := c.walkDecode(data, reflect.ValueOf(&walkedOut).Elem(), decoder{everywhere: true}); err != nil {
		t.Errorf("Decode(%x): the walk fails: %v", data, err)
	}
	if walked, err = c.Encode(reflect.ValueOf(&walkedOut).Elem()); err != nil || !bytes.Equal(walked, data) {
		t.Errorf("Decode(%x): the walk gives %#v instead of %#v", data, walkedOut, out)
	}
	again, err := c.Encode(reflect.ValueOf(&out).Elem())
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("%#v is %x, but once decoded %x (%v)", v, data, again, err)
	}
	return out
}
