package dynamic

import (
	"context"
	"fmt"
	"reflect"
	"testing"
)

// What is asked for is read as it is of the whole value, and nothing else.
func TestDecodePart(t *testing.T) {
	type place struct {
		Name string
		Area aSampleArea
		Rest []int
	}
	data := encode(t, place{Name: "Oslo", Area: aSampleArea{Size: 3, Kind: map[string]bool{"flat": true}}, Rest: []int{1, 2, 3}})
	for _, c := range []struct {
		paths [][]string
		want  Map
	}{
		{nil, Map{{"Name", leftOut}, {"Area", leftOut}, {"Rest", leftOut}}},
		{[][]string{{"Name"}}, Map{{"Name", "Oslo"}, {"Area", leftOut}, {"Rest", leftOut}}},
		{[][]string{{"Area", "Size"}, {"Other"}}, Map{{"Name", leftOut}, {"Area", Map{{"Size", int64(3)}, {"Kind", leftOut}}}, {"Rest", leftOut}}},
		{[][]string{{"Area", "Size"}, {"Area"}, {"Rest"}}, Map{
			{"Name", leftOut}, {"Area", Map{{"Size", int64(3)}, {"Kind", Map{{"flat", true}}}}}, {"Rest", []any{int64(1), int64(2), int64(3)}},
		}},
	} {
		part := new(Part)
		for _, path := range c.paths {
			part.Add(path)
		}
		got, err := DecodePart(t.Context(), data, part)
		if err != nil || !sameEntries(got, c.want) {
			t.Errorf("%v: %+v, %v", c.paths, got, err)
		}
		for n := range data { // what is cut off is missed, whoever asked for it
			if _, err := DecodePart(t.Context(), data[:n], part); err == nil {
				t.Errorf("%v: the first %d bytes are taken for the whole", c.paths, n)
			}
		}
	}
}

type aSampleArea struct {
	Size int
	Kind map[string]bool
}

// sameEntries compares maps, in whatever order they are.
func sameEntries(a any, b any) bool {
	x, isMap := a.(Map)
	y, too := b.(Map)
	if !isMap || !too {
		return reflect.DeepEqual(a, b)
	}
	for _, e := range y {
		v, ok := x.Lookup(e.Key.(string))
		if !ok || !sameEntries(v, e.Value) {
			return false
		}
	}
	return len(x) == len(y)
}

// Whatever the data is, a part of it is read where the whole is.
func FuzzDecodePart(f *testing.F) {
	f.Add([]byte("\xa2\x61a\x01\x61b\x82\x01\x02"))
	f.Add([]byte("\xa1\x61b\x9b\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		part := new(Part)
		part.Add([]string{"a"})
		whole, err := Decode(context.Background(), data)
		some, wrong := DecodePart(context.Background(), data, part)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("%v, %v", err, wrong)
		}
		m, isMap := whole.(Map)
		if !isMap || err != nil {
			return
		}
		a, _ := m.Lookup("a")
		b, _ := some.(Map).Lookup("a")
		if fmt.Sprintf("%#v", a) != fmt.Sprintf("%#v", b) { // NaN is like itself here
			t.Fatalf("%v, %v", a, b)
		}
	})
}
