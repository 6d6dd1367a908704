package codec

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

type step1 struct {
	Name    string
	Timeout time.Duration
	Next    *step1
}

type step2 struct {
	Label   string `json:"Name"`
	Timeout int64
	Rate    float64 `cbor:"rate"`
	Next    *step2
}

// Whole graphs tell fields apart that fingerprints only hash, by their names in
// records; a duration is a number.
func TestWhole(t *testing.T) {
	whole := func(typ reflect.Type) schema.Graph {
		c, err := For(typ, Input, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Whole()
	}
	one, two := whole(reflect.TypeFor[step1]()), whole(reflect.TypeFor[map[string]step2]())
	if n := one[0]; !slices.Equal(n.Order, []string{"Name", "Timeout", "Next"}) || one[n.Parts["field Timeout"]].Unit != schema.Duration {
		t.Errorf("%+v", one)
	}
	var found []schema.Difference
	for d := range schema.DiffWhole(one, whole(reflect.TypeFor[step2]()), "In") {
		found = append(found, d)
	}
	if len(found) != 1 || found[0].Path != "In.rate" || found[0].Here != "" || found[0].There != "float64" {
		t.Errorf("step1 and step2 differ in %+v", found)
	}
	for d := range schema.DiffWhole(one, one, "In") {
		t.Errorf("a type differs from itself in %+v", d)
	}
	for d := range schema.DiffWhole(one, two, "In") {
		if d.Path != "In" || d.Here != "struct" || d.There != "map" {
			t.Errorf("a struct and a map differ in %+v", d)
		}
	}
}

// Names in tags are names of fields; a cbor tag comes before a json tag.
func TestTagsAreNames(t *testing.T) {
	print := func(typ reflect.Type) string {
		c, err := For(typ, Input, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Fingerprint()
	}
	plain := print(reflect.TypeFor[struct{ Rate int }]())
	tagged := print(reflect.TypeFor[struct {
		Rate int `json:"rate"`
	}]())
	renamed := print(reflect.TypeFor[struct {
		Speed int `json:"other" cbor:"rate"`
	}]())
	empty := print(reflect.TypeFor[struct {
		Rate int `json:"rate,omitempty"`
	}]())
	if plain == tagged || tagged != renamed || tagged == empty {
		t.Errorf("plain %s, tagged %s, renamed %s, omitempty %s", plain, tagged, renamed, empty)
	}
}
