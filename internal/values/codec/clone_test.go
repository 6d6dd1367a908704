package codec

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The kind of these faults: memory of the caller's is used after it has gone
// back to the caller. So a clone must share none of it: the test overwrites
// everything that it can reach through the original, and the clone must not
// change.

func TestACloneHasNothingOfTheOriginal(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	overwritten := 0
	for range 500 {
		typ := randomType(r, 3)
		c, err := For(typ, Output, forms(t)) // it is faithful: nil and empty are two
		if err != nil {
			mayBeRefused(t, typ, err)
			continue
		}
		v := randomValue(r, typ)
		before, err := c.Encode(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		clone := reflect.New(typ).Elem()
		if err := c.Clone(v, clone); err != nil {
			t.Fatalf("Clone(%#v): %v", v, err)
		}
		overwritten += overwrite(v)
		if after, err := c.Encode(t.Context(), clone); err != nil || !bytes.Equal(after, before) {
			t.Fatalf("seed %d: a clone of a %v changes with the original: %x, %v; before %x", seed, typ, after, err, before)
		}
	}
	if overwritten < 500 {
		t.Errorf("only %d things were overwritten: that shows nothing", overwritten)
	}
}

// overwrite changes all that v refers to, and counts it.
func overwrite(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n = 1 + overwrite(v.Elem())
			v.Elem().SetZero()
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += 1 + overwrite(v.Index(i))
			v.Index(i).Set(other(v.Index(i)))
		}
	case reflect.Array:
		for i := range v.Len() {
			n += overwrite(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			n += 1 + overwrite(v.MapIndex(key))
		}
		v.Clear()
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() { // the others are behind methods
				n += overwrite(v.Field(i))
			}
		}
	}
	return n
}

// other is a value that is not v.
func other(v reflect.Value) reflect.Value {
	if !v.IsZero() {
		return reflect.Zero(v.Type())
	}
	one := reflect.New(v.Type()).Elem()
	if one.CanUint() {
		one.SetUint(1)
	}
	return one
}

type (
	concealed struct{ buf []byte } // only its methods know how to copy it
	Inner     struct{ Tags []string }
	buffer    struct {
		Hidden concealed
		Addr   net.IP
		Big    big.Int
		Held   figure
		*Inner
		Rows map[string][]int
		Kept map[string]int `mops:"-"`
	}
	figure  interface{ area() int }
	polygon struct{ Sides []int }
	node    struct{ Left, Right *node }
)

func (h concealed) MarshalBinary() ([]byte, error)     { return h.buf, nil }
func (h *concealed) UnmarshalBinary(data []byte) error { h.buf = data; return nil } // as it must not
func (p polygon) area() int                            { return len(p.Sides) }

func TestACloneOfWhatIsHeldInManyWays(t *testing.T) {
	types := &Types{}
	if err := types.Register("polygon", reflect.TypeFor[polygon]()); err != nil {
		t.Fatal(err)
	}
	c := codecFor(t, reflect.TypeFor[buffer](), Input, types)
	original := func() buffer {
		return buffer{
			Hidden: concealed{[]byte("abc")}, Addr: net.IP{1, 2, 3, 4}, Big: *new(big.Int).Lsh(big.NewInt(1), 100), Held: polygon{[]int{1}},
			Inner: &Inner{[]string{"a"}}, Rows: map[string][]int{"r": {1}}, Kept: map[string]int{"k": 1},
		}
	}
	v := original()
	var clone buffer
	if err := c.Clone(reflect.ValueOf(&v).Elem(), reflect.ValueOf(&clone).Elem()); err != nil {
		t.Fatal(err)
	}
	v.Hidden.buf[0], v.Addr[0], v.Held.(polygon).Sides[0], v.Tags[0], v.Rows["r"][0] = 'x', 9, 9, "x", 9
	v.Rows["s"] = nil
	v.Big.SetBit(&v.Big, 100, 0).SetBit(&v.Big, 90, 1)
	if want := original(); !reflect.DeepEqual(clone, want) || clone.Held.area() != 1 {
		t.Errorf("the clone is %+v (%v), and not %+v (%v)", clone, clone.Inner, want, want.Inner)
	}
}

func TestACloneKeepsWhatIsSharedWithin(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[*node](), Input, nil)
	top := &node{}
	for range 200 { // 2^200 nodes, were each way to one of them another
		top = &node{top, top}
	}
	var clone *node
	if err := c.Clone(reflect.ValueOf(&top).Elem(), reflect.ValueOf(&clone).Elem()); err != nil {
		t.Fatal(err)
	}
	if clone == top || clone.Left != clone.Right || clone.Left == top.Left {
		t.Errorf("clone %p of %p, with %p and %p", clone, top, clone.Left, clone.Right)
	}
	for range 20_000 {
		top = &node{Left: top}
	}
	if err := c.Clone(reflect.ValueOf(&top).Elem(), reflect.ValueOf(&clone).Elem()); !errors.Is(err, errTooDeep) || clone != nil {
		t.Errorf("too deep: %v, %v", clone, err)
	}
}

// A method that keeps its data, though it must not, would hold bytes that
// others decode, too.
func TestDecodingHandsNoMemoryOn(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[concealed](), Output, nil)
	v := concealed{[]byte("abc")}
	data, err := c.Encode(t.Context(), reflect.ValueOf(v))
	if err != nil {
		t.Fatal(err)
	}
	var one, two concealed
	for _, into := range []*concealed{&one, &two} {
		if err := c.Decode(t.Context(), data, reflect.ValueOf(into)); err != nil {
			t.Fatal(err)
		}
		into.buf[0] = 'x'
	}
	if bytes.Contains(data, []byte("x")) || string(two.buf) != "xbc" {
		t.Errorf("data %q, two %q", data, two.buf)
	}
}

type brittle struct{ how string }

func (b brittle) MarshalText() ([]byte, error) {
	if b.how == "write" {
		panic("cannot be written")
	}
	return []byte(b.how), nil
}

func (b *brittle) UnmarshalText(text []byte) error {
	if string(text) == "read" {
		panic("cannot be read")
	}
	b.how = string(text)
	return nil
}

// The kind: methods of the user's types that panic, on goroutines where a panic
// ends the program.
func TestAMethodThatPanicsIsAnError(t *testing.T) {
	holds := []struct {
		typ  reflect.Type
		path string
		v    func(b brittle) any
	}{
		{reflect.TypeFor[brittle](), ": ", func(b brittle) any { return b }},
		{reflect.TypeFor[struct{ List []brittle }](), ".List[1]: ", func(b brittle) any { return struct{ List []brittle }{[]brittle{{}, b}} }},
		{reflect.TypeFor[struct{ Map map[string]brittle }](), `.Map["k"]: `, func(b brittle) any { return struct{ Map map[string]brittle }{map[string]brittle{"k": b}} }},
	}
	for _, side := range []Side{Input, Output} {
		for _, h := range holds {
			c := codecFor(t, h.typ, side, nil)
			_, err := c.Encode(t.Context(), reflect.ValueOf(h.v(brittle{"write"})))
			if _, ok := errors.AsType[*ValueError](err); !ok || !strings.Contains(err.Error(), h.path) || !strings.Contains(err.Error(), "cannot be written") {
				t.Errorf("%v: %v", h.typ, err)
			}
			data, err := c.Encode(t.Context(), reflect.ValueOf(h.v(brittle{"reed"})))
			if err != nil {
				t.Fatal(err)
			}
			data = bytes.Replace(data, []byte("reed"), []byte("read"), 1)
			if err := c.Decode(t.Context(), data, reflect.New(h.typ)); err == nil || !strings.Contains(err.Error(), "cannot be read") {
				t.Errorf("%v: %v", h.typ, err)
			}
		}
	}
}
