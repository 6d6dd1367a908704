package codec

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

type (
	Options struct {
		Verbose bool
		Log     func(string) `mops:"-"`
	}
	withKept struct {
		N  int
		DB chan int `mops:"-" json:"-"`
		Options
		Named   Options
		Maybe   Options `cbor:",omitzero"`
		Skipped any     `mops:"-"`
	}
)

func TestKeptFieldsStayOutAndAreHandedOver(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[withKept](), Input, nil)
	said := ""
	say := func(s string) { said += s }
	v := withKept{N: 1, DB: make(chan int), Options: Options{true, say}, Named: Options{Log: say}, Maybe: Options{Log: say}, Skipped: 5}
	data, err := c.Encode(t.Context(), reflect.ValueOf(v))
	if err != nil {
		t.Fatal(err)
	}
	without := v
	without.DB, without.Options.Log, without.Named.Log, without.Maybe.Log, without.Skipped = nil, nil, nil, nil, nil
	if other, err := c.Encode(t.Context(), reflect.ValueOf(without)); err != nil || !bytes.Equal(data, other) {
		t.Errorf("what stays in the process counts: %x and %x (%v)", data, other, err)
	}
	var got withKept
	if err := c.Decode(t.Context(), data, reflect.ValueOf(&got)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, without) {
		t.Errorf("decoded %+v, want %+v", got, without)
	}
	if !c.HandsOver() {
		t.Error("HandsOver is false")
	}
	c.HandOver(reflect.ValueOf(v), reflect.ValueOf(&got).Elem())
	got.Log("a")
	got.Named.Log("b")
	got.Maybe.Log("c")
	if got.DB != v.DB || got.Skipped != 5 || said != "abc" || !got.Verbose {
		t.Errorf("handed over: %+v, said %q", got, said)
	}
}

func TestKeptFieldsDoNotCountInTheFingerprint(t *testing.T) {
	type with struct {
		A int
		B chan int `mops:"-"`
	}
	type without struct{ A int }
	same(t, reflect.TypeFor[with](), reflect.TypeFor[without]())
}

func TestKeptFieldsAreRefusedOutOfReach(t *testing.T) {
	type recursive struct {
		Options
		Next *recursive
	}
	for path, typ := range map[string]reflect.Type{
		"In.L[].Log": reflect.TypeFor[struct{ L []Options }](),
		"In.M[].Named.Log": reflect.TypeFor[struct {
			M map[string]struct{ Named Options }
		}](),
		"In.P.Log":    reflect.TypeFor[struct{ P *Options }](),
		"In[].Log":    reflect.TypeFor[[2]Options](),
		"In.Log":      reflect.TypeFor[*Options](),
		"In.Next.Log": reflect.TypeFor[recursive](),
		"In.B.Log": reflect.TypeFor[struct {
			A Options // is fine
			B *Options
		}](),
	} {
		_, err := For(typ, Input, nil)
		refused, ok := errors.AsType[*TypeError](err)
		if !ok || refused.Path != path || !strings.Contains(refused.Mend, "by value") {
			t.Errorf("For(%v): %v, want path %s", typ, err, path)
		}
	}
	if _, err := For(reflect.TypeFor[struct{ *Options }](), Input, nil); err == nil || !strings.Contains(err.Error(), "through a pointer") {
		t.Errorf("through an embedded pointer: %v", err)
	}
}
