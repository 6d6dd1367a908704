package codec

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

type (
	form2D interface{ Area() float64 }
	square struct{ Side float64 }
	disc   struct{ R float64 }
	group  struct{ Members []form2D }
	label2 string
)

func (s square) Area() float64 { return s.Side * s.Side }
func (d *disc) Area() float64  { return math.Pi * d.R * d.R }
func (g group) Area() (sum float64) {
	for _, m := range g.Members {
		sum += m.Area()
	}
	return sum
}
func (label2) Area() float64 { return 0 }

func forms(t testing.TB) *Types {
	types := new(Types)
	for name, typ := range map[string]reflect.Type{
		"square": reflect.TypeFor[square](), "disc": reflect.TypeFor[*disc](),
		"group": reflect.TypeFor[group](), "label": reflect.TypeFor[label2](), "uuid": reflect.TypeFor[uuid](),
	} {
		if err := types.Register(name, typ); err != nil {
			t.Fatal(err)
		}
	}
	return types
}

type scene struct {
	Main  form2D
	None  form2D `cbor:",omitzero"`
	All   map[string]form2D
	Deep  group
	Plain square
}

func TestInterfacesComeBackAsWhatTheyHeld(t *testing.T) {
	v := scene{
		Main:  square{2},
		All:   map[string]form2D{"disc": &disc{1}, "nil disc": (*disc)(nil), "nil": nil, "label": label2("x")},
		Deep:  group{[]form2D{group{[]form2D{square{1}, nil}}, &disc{2}}},
		Plain: square{3},
	}
	for _, side := range []Side{Input, Output} {
		if got := returned(t, side, forms(t), v); !reflect.DeepEqual(got, v) {
			t.Errorf("got %#v, want %#v", got, v)
		}
	}
}

// Registering a type changes nothing where it stands by itself.
func TestRegistrationTouchesInterfacesOnly(t *testing.T) {
	v := struct{ S square }{square{1}}
	if with, without := encoded(t, Input, forms(t), v), encoded(t, Input, nil, v); string(with) != string(without) {
		t.Errorf("%x and %x", with, without)
	}
	same(t, reflect.TypeOf(v), reflect.TypeFor[struct{ S struct{ Side float64 } }]())
}

func TestUnregisteredValuesAreNamed(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[group](), Input, forms(t))
	_, err := c.Encode(t.Context(), reflect.ValueOf(group{[]form2D{square{1}, &square{1}}}))
	if err == nil || !strings.HasPrefix(err.Error(), "In.Members[1]: ") || !strings.Contains(err.Error(), "*codec.square") {
		t.Errorf("encode: %v", err)
	}
	var into group
	other := new(Types)
	if err := other.Register("other", reflect.TypeFor[square]()); err != nil {
		t.Fatal(err)
	}
	data := encoded(t, Input, forms(t), group{[]form2D{square{1}}})
	err = codecFor(t, reflect.TypeFor[group](), Input, other).Decode(t.Context(), data, reflect.ValueOf(&into))
	if err == nil || !strings.HasPrefix(err.Error(), "In.Members[0]: ") || !strings.Contains(err.Error(), `"square"`) {
		t.Errorf("decode: %v", err)
	}
}

func TestImplementationsMustBeSound(t *testing.T) {
	types := new(Types)
	if err := types.Register("bad", reflect.TypeFor[badForm]()); err != nil {
		t.Fatal(err)
	}
	_, err := For(reflect.TypeFor[group](), Input, types)
	if err == nil || !strings.Contains(err.Error(), "In.Members[](bad).C") {
		t.Errorf("got %v", err)
	}
}

type badForm struct{ C chan int }

func (badForm) Area() float64 { return 0 }

func TestRegisterRefuses(t *testing.T) {
	types := forms(t)
	for want, err := range map[string]error{
		"taken by":     types.Register("square", reflect.TypeFor[disc]()),
		"registered":   types.Register("again", reflect.TypeFor[square]()),
		"an interface": types.Register("form", reflect.TypeFor[form2D]()),
		"are needed":   types.Register("", reflect.TypeFor[int]()),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
