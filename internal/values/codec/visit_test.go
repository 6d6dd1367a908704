package codec

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type (
	holder interface{ hold() }
	held   struct{ V textValue }
	album  struct {
		Cover textValue
		Pages []textValue
		Named map[string]*textValue
		Loose map[int]textValue
		Any   holder
		None  *textValue
		Next  *album
		Other []int
	}
)

func (held) hold() {}

func watching(t testing.TB) *Types {
	types := new(Types)
	types.Watch(func(typ reflect.Type) bool { return typ == reflect.TypeFor[textValue]() })
	if err := types.Register("held", reflect.TypeFor[held]()); err != nil {
		t.Fatal(err)
	}
	return types
}

func newAlbum() album {
	return album{
		Cover: textValue{"cover"}, Pages: []textValue{{"p0"}, {"p1"}},
		Named: map[string]*textValue{"z": {"z"}, "a": {"a"}, "bb": {"bb"}, "n": nil},
		Loose: map[int]textValue{-1: {"-1"}, 5: {"5"}},
		Any:   held{textValue{"any"}}, Next: &album{Cover: textValue{"next"}},
	}
}

func TestVisitFindsAllInTheOrderOfTheEncoding(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[album](), Input, watching(t))
	v := newAlbum()
	for range 5 {
		var found []string
		err := c.Visit(t.Context(), reflect.ValueOf(v), func(v reflect.Value) error {
			found = append(found, v.Interface().(textValue).s)
			return nil
		})
		want := []string{"any", "next", "cover", "5", "-1", "a", "z", "bb", "p0", "p1"}
		if err != nil || !slices.Equal(found, want) {
			t.Fatalf("found %q, %v, want %q", found, err, want)
		}
		data := string(encoded(t, Input, watching(t), v))
		at := -1
		for _, s := range want {
			next := strings.Index(data, "<"+s+">")
			if next <= at {
				t.Errorf("%s is not in the order of %x", s, data)
			}
			at = next
		}
	}
}

type lendsText struct{ textValue }

// Visit would not find a watched value in a struct that marshals itself by its
// methods.
func TestWatchedTypesThatLendTheirMethodsAreRefused(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[struct{ textValue }](), reflect.TypeFor[[]struct{ lendsText }]()} {
		if _, err := For(typ, Input, watching(t)); err == nil || !strings.Contains(err.Error(), "give the embedded field a name") {
			t.Errorf("For(%v): %v", typ, err)
		}
	}
}

func TestVisitStopsWithThePath(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[album](), Input, watching(t))
	stop := errors.New("stop")
	err := c.Visit(t.Context(), reflect.ValueOf(newAlbum()), func(v reflect.Value) error {
		if v.Interface().(textValue).s == "p1" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || !strings.HasPrefix(err.Error(), "In.Pages[1]: ") {
		t.Errorf("got %v", err)
	}
}

func TestVisitIsFreeWhereNothingIsHeld(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[[]inner](), Input, watching(t))
	if c.Visits() {
		t.Error("Visits is true")
	}
	v := reflect.ValueOf(make([]inner, 1000))
	if n := testing.AllocsPerRun(10, func() { _ = c.Visit(t.Context(), v, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWatchedMapKeysAreRefused(t *testing.T) {
	_, err := For(reflect.TypeFor[map[textValue]int](), Input, watching(t))
	if err == nil || !strings.Contains(err.Error(), "slice of pairs") {
		t.Errorf("got %v", err)
	}
}
