package codec

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// apart stands for a value that is encoded apart, by one letter.
type apart[T any] struct {
	//lint:ignore U1000 Define looks at fields, whoever uses them
	v *T
}

func (apart[T]) MarshalCBOR() ([]byte, error) { return []byte{0x61, 'v'}, nil }
func (*apart[T]) UnmarshalCBOR([]byte) error  { return nil }
func (apart[T]) elem() reflect.Type           { return reflect.TypeFor[T]() }

type (
	table   struct{ Rows []row }
	row     struct{ Cost float64 }
	table2  struct{ Rows []row2 }
	row2    struct{ Cost float64 }
	table3  struct{ Rows []struct{ Cost int64 } }
	endless struct{ Next apart[endless] }
)

func sharing(t testing.TB) *Types {
	types := watching(t)
	types.Share(func(t reflect.Type) reflect.Type {
		if v, ok := reflect.Zero(t).Interface().(interface{ elem() reflect.Type }); ok && t.Kind() == reflect.Struct {
			return v.elem()
		}
		return nil
	})
	return types
}

func TestASharedValueCountsByItsStructure(t *testing.T) {
	print := func(typ reflect.Type, side Side) string {
		return codecFor(t, typ, side, sharing(t)).Fingerprint()
	}
	one := print(reflect.TypeFor[apart[table]](), Input)
	if print(reflect.TypeFor[apart[table2]](), Input) != one || print(reflect.TypeFor[apart[table]](), Output) != one {
		t.Error("the name of a type counts")
	}
	for _, other := range []reflect.Type{reflect.TypeFor[apart[table3]](), reflect.TypeFor[table](), reflect.TypeFor[apart[[]table]]()} {
		if print(other, Input) == one {
			t.Errorf("%v has the same fingerprint", other)
		}
	}
}

func TestASharedValueIsJudgedAlong(t *testing.T) {
	for _, c := range []struct {
		typ  reflect.Type
		side Side
		says []string
	}{
		{reflect.TypeFor[struct{ T []apart[struct{ C chan int }] }](), Input, []string{"In.T[].C (chan int)", "take it out of the shared value"}},
		{reflect.TypeFor[struct{ T apart[struct{ C chan int }] }](), Output, []string{"Out.T.C (chan int)"}},
		{reflect.TypeFor[apart[struct{ V textValue }]](), Input, []string{"In.V", "neither files nor other shared values", "beside"}},
		{reflect.TypeFor[apart[endless]](), Input, []string{"In.Next", "neither files nor other shared values"}},
		{reflect.TypeFor[apart[struct {
			N int `mops:"-"`
		}]](), Input, []string{"In.N", "handed over"}},
		{reflect.TypeFor[map[apart[int]]int](), Input, []string{"In[key]", "slice of pairs"}},
	} {
		_, err := For(c.typ, c.side, sharing(t))
		if err == nil {
			t.Errorf("%v is taken", c.typ)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%v: the message does not say %q: %v", c.typ, says, err)
			}
		}
	}
}

func TestASharedValueIsEncodedApart(t *testing.T) {
	type holds struct {
		Two [2]apart[table]
		Not map[string]apart[int]
	}
	c := codecFor(t, reflect.TypeFor[holds](), Output, sharing(t))
	inner := c.Shared(reflect.TypeFor[apart[table]]())
	if inner == nil || inner.Type() != reflect.TypeFor[table]() || c.Shared(reflect.TypeFor[table]()) != nil {
		t.Fatalf("the codec of the shared value is %+v", inner)
	}
	minus, plus := table{[]row{{math.Copysign(0, -1)}}}, table{[]row{{0}}}
	if a, b := inner.mustEncode(t, minus), inner.mustEncode(t, plus); a != b {
		t.Error("it is not encoded as inputs are")
	}
	// An error in it has the whole path.
	inner.maxSize = 3
	err := c.Visit(t.Context(), reflect.ValueOf(holds{}), func(v reflect.Value) error {
		if shared := c.Shared(v.Type()); shared == inner {
			_, err := shared.Encode(t.Context(), reflect.ValueOf(plus))
			return err
		}
		return nil
	})
	if e, ok := errors.AsType[*ValueError](err); !ok || e.Path != "Out.Two[0].Rows" {
		t.Errorf("%v", err)
	}
	err = inner.Decode(t.Context(), []byte{0xa1, 0x61, 'x', 0x00}, reflect.New(reflect.TypeFor[table]()))
	if err == nil || strings.HasPrefix(err.Error(), ":") {
		t.Errorf("%v", err)
	}
}

func (c *Codec) mustEncode(t *testing.T, v any) string {
	t.Helper()
	data, err := c.Encode(t.Context(), reflect.ValueOf(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
