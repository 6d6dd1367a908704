package codec

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Each is decoded twice: as a type that goes straight through the library, and
// as one that is walked.
func TestDecodeRefusesWithThePath(t *testing.T) {
	type part struct{ N int8 }
	type straight struct {
		A map[string]part
		L []part
		T [2]part
	}
	type walked struct {
		straight
		Kept func() `mops:"-"`
	}
	for _, test := range []struct{ name, data, path, reason string }{
		{"empty", "", "In", "EOF"},
		{"truncated", "a16141", "In", "EOF"},
		{"trailing", "a000", "In", "extraneous"},
		{"a field too many", "a1614200", "In", `"B"`},
		{"a field of another case", "a1616100", "In", `"a"`},
		{"a field twice", "a2614180614180", "In.A", ""},
		{"a field twice, deeper", "a1614c81a2614e01614e02", "In.L[0].N", "twice"},
		{"a key twice", "a16141a26178a0" + "6178a0", `In.A["x"]`, "twice"},
		{"out of range", "a1614c81a1614e190100", "In.L[0].N", "overflow"},
		{"in a map", "a16141a16178a1614e6178", `In.A["x"].N`, "cannot unmarshal"},
		{"an array for a struct", "80", "In", ""},
		{"a key that is no text", "a10000", "In", ""},
		{"indefinite length", "bfff", "In", "indefinite"},
	} {
		data, err := hex.DecodeString(test.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range []reflect.Type{reflect.TypeFor[straight](), reflect.TypeFor[walked]()} {
			into := reflect.New(typ)
			err := codecFor(t, typ, Input, nil).Decode(t.Context(), data, into)
			valueErr, ok := errors.AsType[*ValueError](err)
			if !ok || valueErr.Path != test.path || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%s, %v: %v, want path %s, reason %q", test.name, typ, err, test.path, test.reason)
			}
			if !into.Elem().IsZero() {
				t.Errorf("%s, %v: an error leaves %+v", test.name, typ, into.Elem())
			}
		}
	}
}

func TestDecodeStartsFromZero(t *testing.T) {
	v := struct {
		A int `cbor:",omitzero"`
		M map[string]int
	}{5, map[string]int{"old": 1}}
	c := codecFor(t, reflect.TypeOf(v), Output, nil)
	if err := c.Decode(t.Context(), []byte("\xa1\x61M\xa1\x61x\x01"), reflect.ValueOf(&v)); err != nil {
		t.Fatal(err)
	}
	if v.A != 0 || len(v.M) != 1 || v.M["x"] != 1 {
		t.Errorf("got %+v", v)
	}
}

func TestEncodeErrorsNameThePath(t *testing.T) {
	type deep struct {
		M map[string][]*textOrFail
		K map[textOrFail]int
	}
	c := codecFor(t, reflect.TypeFor[deep](), Output, nil)
	_, err := c.Encode(t.Context(), reflect.ValueOf(deep{M: map[string][]*textOrFail{"x": {nil, {true}}}}))
	if !errors.Is(err, errFail) || !strings.HasPrefix(err.Error(), `Out.M["x"][1]: `) {
		t.Errorf("value: %v", err)
	}
	_, err = c.Encode(t.Context(), reflect.ValueOf(deep{K: map[textOrFail]int{{true}: 1}}))
	if !errors.Is(err, errFail) || !strings.HasPrefix(err.Error(), `Out.K[key]: `) {
		t.Errorf("key: %v", err)
	}
}

var errFail = errors.New("cannot be written")

type textOrFail struct{ fail bool }

func (v textOrFail) MarshalText() ([]byte, error) {
	if v.fail {
		return nil, errFail
	}
	return nil, nil
}
func (*textOrFail) UnmarshalText([]byte) error { return nil }
