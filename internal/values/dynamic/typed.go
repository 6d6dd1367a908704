package dynamic

import (
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// Typed is a value with what the whole graph of its type knows of it: the fields
// of a struct stand as it declares them, and numbers that are durations are
// [Duration]. It changes value. Where the graph does not fit, nothing changes.
func Typed(value any, of schema.Graph) any {
	if len(of) == 0 {
		return value
	}
	return typed{of}.value(value, 0)
}

// Duration is a number that the program has as a time.Duration.
type Duration time.Duration

type typed struct{ graph schema.Graph }

func (t typed) value(value any, at int) any {
	n := t.graph[at]
	part := func(of any, name string) any {
		if number, ok := n.Parts[name]; ok {
			return t.value(of, number)
		}
		return of
	}
	switch v := value.(type) {
	case int64:
		if n.Unit == schema.Duration {
			return Duration(v)
		}
	case []any:
		for i := range v {
			v[i] = part(v[i], schema.Elem)
		}
	case Object:
		v.Value = part(v.Value, schema.Impl+v.Type)
		return v
	case Map:
		switch n.Kind {
		case "ptr":
			return part(v, schema.Elem)
		case "map":
			for i := range v {
				v[i].Value = part(v[i].Value, schema.Elem)
			}
		case "struct":
			t.fields(v, n)
		}
		return v
	}
	if n.Kind == "ptr" {
		return part(value, schema.Elem)
	}
	return value
}

// fields puts those of a struct in order.
func (t typed) fields(m Map, n schema.Node) {
	numbers := map[string]int{}
	for name, number := range n.Parts {
		numbers[schema.FieldName(name)] = number
	}
	place := make(map[string]int, len(n.Order))
	for i, name := range n.Order {
		place[name] = i
	}
	rank := func(e Entry) int {
		if name, ok := e.Key.(string); ok {
			if at, ok := place[name]; ok {
				return at
			}
		}
		return len(place)
	}
	for i, e := range m {
		if name, ok := e.Key.(string); ok {
			if number, ok := numbers[name]; ok {
				m[i].Value = t.value(e.Value, number)
			}
		}
	}
	slices.SortStableFunc(m, func(a, b Entry) int { return rank(a) - rank(b) })
}
