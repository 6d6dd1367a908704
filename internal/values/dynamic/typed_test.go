package dynamic

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

func TestTyped(t *testing.T) {
	graph := schema.Graph{
		{Kind: "struct", Order: []string{"Wait", "Deep", "At", "Gone"}, Parts: map[string]int{"field Wait": 1, "omitempty field Deep": 2, "field At": 4}},
		{Kind: "int64", Unit: schema.Duration},
		{Kind: "ptr", Parts: map[string]int{schema.Elem: 3}},
		{Kind: "map", Parts: map[string]int{schema.Elem: 5}},
		{Kind: "int64"},
		{Kind: "slice", Parts: map[string]int{schema.Elem: 6}},
		{Kind: "iface", Parts: map[string]int{schema.Impl + "x": 0}},
	}
	value := func() any {
		return Map{
			{"Other", int64(7)}, {"At", int64(1)},
			{"Deep", Map{{"k", []any{Object{Type: "x", Value: Map{{"At", int64(1)}, {"Wait", int64(time.Second)}}}, nil}}}},
			{"Wait", int64(90 * time.Second)},
		}
	}
	var text bytes.Buffer
	Write(t.Context(), &text, Typed(value(), graph), Options{})
	got := strings.Join(strings.Fields(text.String()), " ")
	if want := "Wait: 1m30s Deep: k: 2 elements - <x> Wait: 1s At: 1 - null At: 1 Other: 7"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if found := Diff(Typed(value(), graph), value(), "In", 10); len(found) > 0 {
		t.Errorf("a value differs from itself without types: %v", found)
	}
	for _, other := range []any{nil, "text", int64(1), []any{int64(1)}, Map{{int64(1), nil}}} { // damaged, or of another type
		Typed(other, graph)
		Typed(other, nil)
	}
}
