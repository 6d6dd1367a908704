package codec

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

func schemaText(t *testing.T, side Side, typ reflect.Type) string {
	t.Helper()
	text, err := schema.Types{Out: codecFor(t, typ, side, forms(t)).Schema()}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type (
	omitting struct {
		Name  string
		Stats struct {
			Mean float64
			At   *time.Time `cbor:"at,omitempty"`
		} `cbor:",omitzero"`
		Deep []struct {
			By map[string]int `cbor:"<by>,omitzero"`
		}
	}
	omittingChain struct {
		Next *omittingChain
		V    int `cbor:",omitzero"`
	}
	omittingChain2 struct { // built alike
		V    int `cbor:",omitzero"`
		Next *struct {
			Next *omittingChain2
			V    int `cbor:",omitzero"`
		}
	}
	omittingScene struct {
		Main form2D `cbor:",omitzero"`
	}
)

// Schemas are in records and in exact keys, so they stay as they are.
func TestSchemaGolden(t *testing.T) {
	chain := `{"out":[{"kind":"struct","parts":{"field Next":2,"omitzero field V":1}},{"kind":"int"},{"kind":"ptr","parts":{"elem":0}}]}`
	for _, c := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[person](), `{}`},
		{reflect.TypeFor[omitting](), `{"out":[{"kind":"struct","parts":{"field Deep":1,"omitzero field Stats":6}},` +
			`{"kind":"slice","parts":{"elem":2}},{"kind":"struct","parts":{"omitzero field <by>":3}},` +
			`{"kind":"map","parts":{"elem":5,"key":4}},{"kind":"string"},{"kind":"int"},` +
			`{"kind":"struct","parts":{"field Mean":9,"omitempty field at":7}},{"kind":"ptr","parts":{"elem":8}},{"kind":"time"},{"kind":"float64"}]}`},
		{reflect.TypeFor[omittingChain](), chain},
		{reflect.TypeFor[omittingChain2](), chain},
		{reflect.TypeFor[omittingScene](), `{"out":[{"kind":"struct","parts":{"omitzero field Main":1}},` +
			`{"kind":"interface","parts":{"type disc":2,"type group":5,"type label":7,"type square":8}},{"kind":"ptr","parts":{"elem":3}},` +
			`{"kind":"struct","parts":{"field R":4}},{"kind":"float64"},{"kind":"struct","parts":{"field Members":6}},` +
			`{"kind":"slice","parts":{"elem":1}},{"kind":"string"},{"kind":"struct","parts":{"field Side":4}}]}`},
	} {
		for _, side := range []Side{Input, Output} {
			if got := schemaText(t, side, c.typ); got != c.want {
				t.Errorf("%v:\n got %s\nwant %s", c.typ, got, c.want)
			}
		}
	}
}

// model is a type whose parts the tests know by themselves.
type model struct {
	kind   reflect.Kind // of a leaf, any that leaf knows
	elem   *model
	fields []modelField
}

type modelField struct {
	name string
	omit bool
	of   *model
}

var modelLeaves = map[reflect.Kind]reflect.Type{
	reflect.Int: reflect.TypeFor[int](), reflect.String: reflect.TypeFor[string](), reflect.Float64: reflect.TypeFor[float64](),
	reflect.Bool: reflect.TypeFor[bool](), reflect.Uint8: reflect.TypeFor[uint8](),
}

func randomModel(r *rand.Rand, depth int) *model {
	kinds := []reflect.Kind{reflect.Struct, reflect.Struct, reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Array}
	if depth == 0 || r.IntN(3) == 0 {
		return &model{kind: slices.Sorted(maps.Keys(modelLeaves))[r.IntN(len(modelLeaves)-1)]} // no uint8: a list of them is another leaf
	}
	m := &model{kind: kinds[r.IntN(len(kinds))]}
	if m.kind != reflect.Struct {
		for m.elem = randomModel(r, depth-1); m.kind == reflect.Pointer && m.elem.kind != reflect.Struct; {
			m.elem = randomModel(r, depth)
		}
		return m
	}
	for i := range 1 + r.IntN(4) {
		m.fields = append(m.fields, modelField{fmt.Sprintf("F%d", i), r.IntN(3) == 0, randomModel(r, depth-1)})
	}
	return m
}

func (m *model) typ() reflect.Type {
	switch m.kind {
	case reflect.Struct:
		var fields []reflect.StructField
		for _, f := range m.fields {
			sf := reflect.StructField{Name: f.name, Type: f.of.typ()}
			if f.omit {
				sf.Tag = `cbor:",omitzero"`
			}
			fields = append(fields, sf)
		}
		return reflect.StructOf(fields)
	case reflect.Slice:
		return reflect.SliceOf(m.elem.typ())
	case reflect.Map:
		return reflect.MapOf(reflect.TypeFor[string](), m.elem.typ())
	case reflect.Pointer:
		return reflect.PointerTo(m.elem.typ())
	case reflect.Array:
		return reflect.ArrayOf(2, m.elem.typ())
	}
	return modelLeaves[m.kind]
}

// paths are all places in a type, with their kinds.
func (m *model) paths(at string, into map[string]reflect.Kind) map[string]reflect.Kind {
	into[at] = m.kind
	if m.elem != nil {
		m.elem.paths(at+"/", into)
	}
	for _, f := range m.fields {
		f.of.paths(at+"."+f.name, into)
	}
	return into
}

// change returns a copy that differs in one thing, at or below an omitzero field,
// or nil where the type has no place for that.
func (m *model) change(r *rand.Rand) *model {
	changed := m.clone()
	var can []func()
	var walk func(m *model, below bool)
	walk = func(m *model, below bool) {
		if m.elem != nil {
			walk(m.elem, below)
		}
		if m.kind == reflect.Struct {
			can = append(can, func() {
				m.fields = append(m.fields, modelField{"New", !below || r.IntN(2) == 0, randomModel(r, 1)})
			})
		}
		for i := range m.fields {
			f := &m.fields[i]
			if below || f.omit {
				can = append(can,
					func() { f.of = &model{kind: reflect.Uint8} },
					func() { f.of = randomModel(r, 2) },
					func() { m.fields = slices.Delete(m.fields, i, i+1) })
			}
			walk(f.of, below || f.omit)
		}
	}
	walk(changed, false)
	if len(can) == 0 {
		return nil
	}
	can[r.IntN(len(can))]()
	return changed
}

func (m *model) clone() *model {
	c := *m
	if m.elem != nil {
		c.elem = m.elem.clone()
	}
	c.fields = slices.Clone(m.fields)
	for i := range c.fields {
		c.fields[i].of = c.fields[i].of.clone()
	}
	return &c
}

// TestRandomChanges changes one thing at or below an omitzero field of a random
// type. The fingerprint does not see it. The schemas say which program may use
// whose results; the test finds it by comparing lists of all places in both
// types. A program that may use a result finds in a random value all that the
// other has put there, and no zero that the other did not.
func TestRandomChanges(t *testing.T) {
	rounds := 500
	if os.Getenv("MOPS_SOAK") == "1" {
		rounds = 200_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	tally := map[string]int{}
	for range rounds {
		first := randomModel(r, 4)
		second := first.change(r)
		if second == nil {
			continue
		}
		for _, pair := range [][2]*model{{first, second}, {second, first}, {first, first}} {
			reader, writer := pair[0], pair[1]
			here, there := codecFor(t, reader.typ(), Output, nil), codecFor(t, writer.typ(), Output, nil)
			if here.Fingerprint() != there.Fingerprint() {
				t.Fatalf("the fingerprints of %v and %v differ", here.typ, there.typ)
			}
			known, written := reader.paths("", map[string]reflect.Kind{}), writer.paths("", map[string]reflect.Kind{})
			covers, agree := true, true
			for path, kind := range known {
				there, found := written[path]
				covers = covers && found && there == kind
				agree = agree && (!found || there == kind)
			}
			for side, c := range map[string]struct{ got, want bool }{
				"output": {schema.Types{Out: here.Schema()}.Incompatible(schema.Types{Out: there.Schema()}) == "", covers},
				"input": {schema.Types{In: codecFor(t, here.typ, Input, nil).Schema()}.Incompatible(
					schema.Types{In: codecFor(t, there.typ, Input, nil).Schema()}) == "", agree},
			} {
				tally[fmt.Sprint(side, c.want)]++
				if c.got != c.want {
					t.Fatalf("seed %d, %s: %v reads what %v has written: %v, want %v\n%v\n%v", seed, side, here.typ, there.typ, c.got, c.want, here.Schema(), there.Schema())
				}
			}
			if covers {
				readsAll(t, here, there, randomValue(r, there.typ))
			}
		}
	}
	for _, of := range []string{"outputtrue", "outputfalse", "inputtrue", "inputfalse"} {
		if tally[of] < rounds/20 {
			t.Errorf("%v: too few of %s to show anything", tally, of)
		}
	}
}

// readsAll proves that the reader finds only parts of the written value.
func readsAll(t *testing.T, reader, writer *Codec, v reflect.Value) {
	t.Helper()
	data, err := writer.Encode(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	into := reflect.New(reader.typ)
	if err := reader.DecodeKnown(t.Context(), data, into); err != nil {
		t.Fatalf("%v does not read %x of %v: %v", reader.typ, data, writer.typ, err)
	}
	again, err := reader.Encode(t.Context(), into.Elem())
	if err != nil {
		t.Fatal(err)
	}
	var found, written any
	if err := decMode.Unmarshal(again, &found); err != nil {
		t.Fatal(err)
	}
	if err := decMode.Unmarshal(data, &written); err != nil {
		t.Fatal(err)
	}
	if !within(found, written) {
		t.Fatalf("%v reads %v of %v, which %v has written", reader.typ, found, written, writer.typ)
	}
}

func within(part, whole any) bool {
	switch part := part.(type) {
	case map[any]any:
		whole, ok := whole.(map[any]any)
		for key, elem := range part {
			there, found := whole[key]
			if !found { // a field that only the writer's type leaves out when it is zero
				ok = ok && holdsZero(elem)
				continue
			}
			ok = ok && within(elem, there)
		}
		return ok
	case []any:
		whole, ok := whole.([]any)
		ok = ok && len(whole) == len(part)
		for i := range part {
			ok = ok && within(part[i], whole[i])
		}
		return ok
	}
	return fmt.Sprint(part) == fmt.Sprint(whole)
}

// holdsZero reports whether a decoded value is the zero value of its type.
func holdsZero(v any) bool {
	switch v := v.(type) {
	case map[any]any:
		for _, elem := range v {
			if !holdsZero(elem) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(v, func(elem any) bool { return !holdsZero(elem) })
	}
	return v == nil || reflect.ValueOf(v).IsZero()
}

// Decode takes no field that the type does not have, DecodeKnown leaves it out,
// whatever is in it, in the library's way and in ours.
func TestDecodeKnown(t *testing.T) {
	type newer struct {
		A     int
		Extra map[string][]*scene
		Z     int
	}
	type older struct{ A, Z int }
	type olderWalked struct {
		A, Z int
		Main form2D `cbor:",omitzero"`
	}
	data := encoded(t, Output, forms(t), newer{1, map[string][]*scene{"x": {{Main: &disc{1}}, nil}}, 2})
	for _, into := range []any{new(older), new(olderWalked)} {
		v := reflect.ValueOf(into)
		c := codecFor(t, v.Type().Elem(), Output, forms(t))
		if err := c.Decode(t.Context(), data, v); err == nil {
			t.Errorf("%T takes a field that it does not have", into)
		}
		if err := c.DecodeKnown(t.Context(), data, v); err != nil || v.Elem().Field(0).Int() != 1 || v.Elem().Field(1).Int() != 2 {
			t.Errorf("%+v, %v", into, err)
		}
		if err := c.DecodeKnown(t.Context(), data[:len(data)-1], v); err == nil {
			t.Errorf("%T takes an encoding that is cut off", into)
		}
	}
}
