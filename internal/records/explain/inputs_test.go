package explain

import (
	"fmt"
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

func forecastOf(city string, day int64, more ...dynamic.Entry) dynamic.Map {
	return append(dynamic.Map{
		{Key: "City", Value: city},
		{Key: "Area", Value: dynamic.Map{{Key: "Day", Value: day}, {Key: "Days", Value: []any{day, 1.5, nil}}}},
	}, more...)
}

// An input that differs in one field from one of many is found with it, at any depth;
// else it is said which values are new.
func TestNearestInput(t *testing.T) {
	var x Inputs
	if near := x.Nearest(forecastOf("Oslo", 1)); near.Call != -1 || near.Fields != nil {
		t.Errorf("of none: %+v", near)
	}
	for i := range 1000 {
		x.Add(forecastOf([]string{"Oslo", "Rome"}[i%2], int64(i)))
	}
	note := dynamic.Entry{Key: "Note", Value: "new"}
	for _, c := range []struct {
		input  any
		call   int
		fields []string
	}{
		{forecastOf("Oslo", 20), 20, nil},
		{forecastOf("Rome", 20), 20, []string{"In.City"}},
		{forecastOf("Bern", 21), 21, []string{"In.City"}},
		{forecastOf("Oslo", 20, note), 20, []string{"In.Note"}},
		{forecastOf("Rome", 20, note), -1, []string{"In.Note"}},
		{forecastOf("Oslo", 5000), -1, []string{"In.Area.Day", "In.Area.Days"}},
		{dynamic.Map{{Key: "City", Value: "Rome"}, {Key: "Area", Value: dynamic.Map{{Key: "Day", Value: int64(2)}, {Key: "Days", Value: []any{int64(4), 1.5, nil}}}}}, -1, nil},
		{"Oslo", -1, []string{"In"}},
	} {
		near := x.Nearest(c.input)
		if near.Call != c.call || !slices.Equal(near.Fields, c.fields) {
			t.Errorf("%s: %+v, want %d, %v", dynamic.Short(c.input, 100), near, c.call, c.fields)
		}
	}
	if n := x.Closest(forecastOf("Rome", 20, note)); n != 20 {
		t.Errorf("the closest is %d", n)
	}
}

// Inputs with very many fields are compared by those at the top, or as a whole.
func TestNearestOfLargeInputs(t *testing.T) {
	wide := func(n int, last int64) (m dynamic.Map) {
		for i := range n {
			m = append(m, dynamic.Entry{Key: fmt.Sprint("f", i), Value: int64(i)})
		}
		m[n-1].Value = last
		return m
	}
	for name, c := range map[string]struct {
		before, after any
		want          string
	}{
		"as they are": {wide(10, 1), wide(10, 2), "In.f9"},
		"at the top":  {dynamic.Map{{Key: "A", Value: wide(100, 1)}}, dynamic.Map{{Key: "A", Value: wide(100, 2)}}, "In.A"},
		"as a whole":  {wide(100, 1), wide(100, 2), "In"},
	} {
		var x Inputs
		x.Add(c.before)
		if near := x.Nearest(c.after); near.Call != 0 || !slices.Equal(near.Fields, []string{c.want}) {
			t.Errorf("%s: %+v", name, near)
		}
	}
}
