package mops_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// passes calls a function that returns its input, twice, and returns the second
// result, from the store.
func passes[T any](t *testing.T, ctx context.Context, in T) T {
	t.Helper()
	identity := mops.Define("identity", func(_ context.Context, in T) (T, error) { return in, nil }, private())
	first, err := identity.Call(ctx, in)
	if err != nil {
		t.Fatalf("%T: %v", in, err)
	}
	second, info, err := identity.Do(ctx, in)
	if err != nil || info.Outcome != mops.Hit {
		t.Fatalf("%T: %+v, %v", in, info, err)
	}
	if !reflect.DeepEqual(first, second) {
		t.Errorf("%T: computed %v, found %v", in, first, second)
	}
	return second
}

type shape interface{ Area() float64 }

type rectangle struct{ Side float64 }

func (s rectangle) Area() float64 { return s.Side * s.Side }

type circle struct{ Radius float64 }

func (c *circle) Area() float64 { return math.Pi * c.Radius * c.Radius }

type base struct{ ID int }

type pair[A, B any] struct {
	First  A
	Second B
}

type tree struct {
	Value       int
	Left, Right *tree
}

// celsius marshals itself.
type celsius struct{ degrees float64 }

func (c celsius) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%gC", c.degrees), nil }

func (c *celsius) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%gC", &c.degrees)
	return err
}

type everything struct {
	base
	Embedded  *base
	Map       map[string][]int
	ByStruct  map[[2]int]string
	Pair      pair[string, *int]
	Tree      *tree
	Text      celsius
	Big       *big.Int
	Address   netip.Addr
	URL       *url.URL
	When      time.Time
	Took      time.Duration
	Bytes     []byte
	Array     [3]uint8
	Rune      rune
	Float     float32
	Anonymous struct{ A, B bool }
}

func TestValuesComeBackAsTheyWere(t *testing.T) {
	ctx := mopstest.Context(t)
	seven := 7
	in := everything{
		Embedded: &base{2}, Map: map[string][]int{"b": {2}, "a": {1, 1}, "": nil}, ByStruct: map[[2]int]string{{1, 2}: "x"},
		Pair: pair[string, *int]{"p", &seven}, Tree: &tree{1, &tree{2, nil, nil}, nil}, Text: celsius{21.5},
		Big: new(big.Int).Exp(big.NewInt(7), big.NewInt(99), nil), Address: netip.MustParseAddr("2001:db8::1"),
		URL: must(url.Parse("https://example.org/a?b=c")), When: time.Date(2026, 2, 28, 23, 59, 59, 123456789, time.UTC),
		Took: time.Minute, Bytes: []byte{0, 255}, Array: [3]uint8{1, 2, 3}, Rune: 'ß', Float: 1.5, Anonymous: struct{ A, B bool }{true, false},
	}
	in.ID = 1
	out := passes(t, ctx, in)
	in.Map[""] = []int{} // an input has no nil slices
	if !reflect.DeepEqual(in, out) {
		t.Errorf("in  %+v\nout %+v", in, out)
	}
	passes(t, ctx, pair[pair[int, bool], []pair[string, float64]]{pair[int, bool]{1, true}, []pair[string, float64]{{"x", math.Inf(-1)}}})
	passes(t, ctx, struct{}{})
	passes(t, ctx, "\xff is no UTF-8")
	passes[*int](t, ctx, nil)
	if nan := passes(t, ctx, []float64{math.NaN()}[:0]); len(nan) != 0 {
		t.Error(nan)
	}
}

func TestOneInstantOneKey(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("f", func(_ context.Context, at time.Time) (time.Time, error) { return at, nil }, private())
	at := time.Date(2026, 7, 1, 12, 0, 0, 1, time.UTC)
	uri := uriOf(t, ctx, f, at)
	for _, zone := range []string{"America/New_York", "Asia/Kathmandu"} {
		place, err := time.LoadLocation(zone)
		if err != nil {
			t.Skip("this machine has no time zones: ", err)
		}
		if uriOf(t, ctx, f, at.In(place)) != uri {
			t.Errorf("the same instant in %s has another key", zone)
		}
	}
	if uriOf(t, ctx, f, at.Add(time.Nanosecond)) == uri {
		t.Error("a nanosecond later it has the same key")
	}
	if out := must(f.Call(ctx, at)); !out.Equal(at) {
		t.Errorf("%v came back as %v", at, out)
	}
}

func TestNumbersThatAreAlikeHaveOneKey(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("f", func(_ context.Context, x float64) (float64, error) { return x, nil }, private())
	if uriOf(t, ctx, f, math.Copysign(0, -1)) != uriOf(t, ctx, f, 0) {
		t.Error("-0 and +0 have two keys")
	}
	if uriOf(t, ctx, f, math.NaN()) != uriOf(t, ctx, f, math.Float64frombits(0x7ff8_0000_0000_1234)) {
		t.Error("two NaNs have two keys")
	}
	if out := must(f.Call(ctx, math.NaN())); !math.IsNaN(out) {
		t.Errorf("NaN came back as %v", out)
	}
}

func TestMapsInAnyOrderHaveOneKey(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("f", func(_ context.Context, m map[string]int) (int, error) { return len(m), nil }, private())
	one, two := map[string]int{}, map[string]int{}
	for i := range 100 {
		one[fmt.Sprint(i)] = i
	}
	for i := 99; i >= 0; i-- {
		two[fmt.Sprint(i)] = i
	}
	if uriOf(t, ctx, f, one) != uriOf(t, ctx, f, two) || uriOf(t, ctx, f, maps.Clone(one)) != uriOf(t, ctx, f, one) {
		t.Error("equal maps have two keys")
	}
}

func TestNilAndEmptyAreAlikeInInputsAndApartInOutputs(t *testing.T) {
	ctx := mopstest.Context(t)
	in := mops.Define("in", func(_ context.Context, s []int) (int, error) { return len(s), nil }, private())
	if uriOf(t, ctx, in, nil) != uriOf(t, ctx, in, []int{}) {
		t.Error("nil and empty inputs have two keys")
	}
	type lists struct {
		Nil, Empty []int
		NilMap     map[string]int
		EmptyMap   map[string]int
	}
	out := mops.Define("out", func(context.Context, int) (lists, error) {
		return lists{Empty: []int{}, EmptyMap: map[string]int{}}, nil
	}, private())
	for range 2 {
		got := must(out.Call(ctx, 1))
		if got.Nil != nil || got.Empty == nil || got.NilMap != nil || got.EmptyMap == nil {
			t.Errorf("%#v", got)
		}
	}
}

func TestInterfacesHoldRegisteredTypes(t *testing.T) {
	registry := private()
	mops.RegisterType[rectangle](registry)
	mops.RegisterType[*circle](registry)
	ctx := mopstest.Context(t, registry)
	f := mops.Define("bigger", func(_ context.Context, shapes []shape) (shape, error) {
		return slices.MaxFunc(shapes, func(a, b shape) int { return int(a.Area() - b.Area()) }), nil
	}, registry)
	for range 2 {
		out, err := f.Call(ctx, []shape{rectangle{2}, &circle{3}})
		if c, ok := out.(*circle); err != nil || !ok || c.Radius != 3 {
			t.Errorf("%v, %v", out, err)
		}
	}
	if message := panics(t, func() { mops.RegisterType[rectangle](registry) }); !strings.Contains(message, "rectangle") {
		t.Error(message)
	}
}

func TestAnInterfaceWithoutRegisteredTypesFailsAtTheStart(t *testing.T) {
	registry := private()
	mops.Define("f", func(context.Context, pair[int, []shape]) (int, error) { return 0, nil }, registry)
	_, err := mops.New(t.Context(), registry, mops.Isolated())
	mentions(t, err, "function f", "value_test.go", "In.Second[]", "RegisterType")
}

func TestWhatTheCallerDoesToAResultChangesNoOther(t *testing.T) {
	ctx := mopstest.Context(t)
	kept := &tree{1, &tree{2, nil, nil}, nil}
	f := mops.Define("f", func(context.Context, []int) (*tree, error) { return kept, nil }, private())
	first := must(f.Call(ctx, nil))
	if first == kept {
		t.Fatal("the caller got the function's own value")
	}
	first.Left.Value = 99
	if second := must(f.Call(ctx, nil)); second.Left.Value != 2 || kept.Left.Value != 2 {
		t.Error("a result is shared")
	}
}

func TestWhatTheFunctionDoesToItsInputStaysThere(t *testing.T) {
	ctx := mopstest.Context(t)
	for name, option := range map[string]mops.Option{"kept": mops.Join(), "off": mops.Off(), "read-only": mops.ReadOnly()} {
		f := mops.Define("f", func(_ context.Context, in []int) (int, error) { in[0]++; return in[0], nil }, private(), option)
		in := []int{1}
		if out := must(f.Call(ctx, in)); out != 2 || in[0] != 1 {
			t.Errorf("%s: %d, the caller's input is %v", name, out, in)
		}
	}
}

func TestAnInputMayChangeOnceTheCallIsStarted(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("f", func(_ context.Context, in []int) (int, error) { return in[0], nil }, private())
	in := []int{1}
	call, err := f.Start(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	in[0] = 2
	if out, err := call.Wait(ctx); err != nil || out != 1 {
		t.Errorf("%d, %v", out, err)
	}
}
