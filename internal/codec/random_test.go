package codec

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"
)

// TestRandomTypes makes types and values at random, and proves for each that it
// comes back, that the library alone, the walk and the encoding of large values
// agree, and that decoding takes what the library decodes.
func TestRandomTypes(t *testing.T) {
	rounds := 1000
	if os.Getenv("MOPS_SOAK") == "1" {
		rounds = 200_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		typ := randomType(r, 3)
		for _, side := range []Side{Input, Output} {
			c, err := For(typ, side, nil)
			if err != nil {
				t.Fatalf("For(%v): %v", typ, err)
			}
			comesBack(t, c, randomValue(r, typ))
			if t.Failed() {
				t.Fatalf("seed %d, type %v", seed, typ)
			}
		}
	}
}

func comesBack(t *testing.T, c *Codec, v reflect.Value) {
	t.Helper()
	data, err := c.Encode(v)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", v, err)
	}
	if walked, err := c.walkEncode(v, true); err != nil || !bytes.Equal(walked, data) {
		t.Errorf("Encode(%#v) = %x, and the walk gives %x, %v", v, data, walked, err)
	}
	large := *c
	large.large = true
	if byParts, err := large.Encode(v); err != nil || !bytes.Equal(byParts, data) {
		t.Errorf("Encode(%#v) = %x, and as a large value %x, %v", v, data, byParts, err)
	}
	var got [2]reflect.Value
	for i, everywhere := range []bool{false, true} {
		got[i] = reflect.New(c.typ)
		if everywhere {
			err = c.walkDecode(data, got[i].Elem(), decoder{everywhere: true})
		} else {
			err = c.Decode(data, got[i])
		}
		if err != nil {
			t.Fatalf("Decode(%x) of %#v: %v", data, v, err)
		}
		if again, err := c.Encode(got[i].Elem()); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%#v is %x, but once decoded %x, %v", v, data, again, err)
		}
	}
	if c.side == Output && fmt.Sprintf("%+v", flat(v)) != fmt.Sprintf("%+v", flat(got[0].Elem())) {
		t.Errorf("%+v came back as %+v", flat(v), flat(got[0].Elem()))
	}
}

// flat replaces pointers by what they point to, and shows nil, -0 and NaN.
func flat(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return []any{"&", flat(v.Elem())}
	case reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return []any{v.Elem().Type(), flat(v.Elem())}
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(v.Float())
	case reflect.Slice, reflect.Array:
		all := []any{v.Kind() == reflect.Slice && v.IsNil()}
		for i := range v.Len() {
			all = append(all, flat(v.Index(i)))
		}
		return all
	case reflect.Map:
		all := map[any]any{"nil": v.IsNil()}
		for iter := v.MapRange(); iter.Next(); {
			all[fmt.Sprint(iter.Key())] = flat(iter.Value())
		}
		return all
	case reflect.Struct:
		if v.Type() == timeType {
			return v.Interface().(time.Time).UTC().Format(time.RFC3339Nano)
		}
		var all []any
		for i := range v.NumField() {
			all = append(all, flat(v.Field(i)))
		}
		return all
	}
	return fmt.Sprint(v)
}

var leafTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float64](), reflect.TypeFor[float32](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[[3]byte](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[textPointer](), reflect.TypeFor[binaryValue](), reflect.TypeFor[cborPointer](), reflect.TypeFor[textInt](),
	reflect.TypeFor[embedding](), reflect.TypeFor[*list](), reflect.TypeFor[tree](),
}

var keyTypes = []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[[2]int](), reflect.TypeFor[inner](), reflect.TypeFor[textInt]()}

func randomType(r *rand.Rand, depth int) reflect.Type {
	kind := r.IntN(6)
	if depth == 0 {
		kind = 5
	}
	switch kind {
	case 0:
		elem := randomType(r, depth-1)
		if k := elem.Kind(); k == reflect.Pointer || k == reflect.Slice || k == reflect.Map {
			return elem
		}
		return reflect.PointerTo(elem)
	case 1:
		return reflect.SliceOf(randomType(r, depth-1))
	case 2:
		return reflect.ArrayOf(r.IntN(3), randomType(r, depth-1))
	case 3:
		return reflect.MapOf(keyTypes[r.IntN(len(keyTypes))], randomType(r, depth-1))
	case 4:
		fields := make([]reflect.StructField, r.IntN(6))
		for i := range fields {
			fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: randomType(r, depth-1)}
			switch r.IntN(4) {
			case 0:
				fields[i].Tag = `cbor:",omitzero"`
			case 1:
				fields[i].Tag = reflect.StructTag(fmt.Sprintf(`json:"%c%d"`, 'a'+rune(r.IntN(26)), i))
			}
		}
		return reflect.StructOf(fields)
	default:
		return leafTypes[r.IntN(len(leafTypes))]
	}
}

func randomValue(r *rand.Rand, typ reflect.Type) reflect.Value {
	v := reflect.New(typ).Elem()
	fill(r, v, 0)
	return v
}

func fill(r *rand.Rand, v reflect.Value, depth int) {
	if r.IntN(5) == 0 || depth > 12 {
		return // zero
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(r.Int64N(1<<36)-1<<35, r.Int64N(1e9)).UTC() // the years 881 to 3058
		return
	case *textPointer:
		x.s = fmt.Sprint(r.IntN(1000))
		return
	case *binaryValue:
		x.n = r.Uint32()
		return
	case *cborPointer:
		x.n = r.IntN(1000)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()) >> r.IntN(v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> (64 - v.Type().Bits()) >> r.IntN(v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		odd := []float64{math.Copysign(0, -1), math.NaN(), math.Inf(1), 1.5, 0.1, 1e300, 65504, 1e-8}
		if f := odd[r.IntN(len(odd))]; v.Kind() == reflect.Float32 {
			v.SetFloat(float64(float32(f)))
		} else {
			v.SetFloat(f)
		}
	case reflect.String:
		text := make([]byte, r.IntN(30))
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		v.SetString(string(text))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key, depth+1)
			fill(r, elem, depth+1)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(r, f, depth+1)
			}
		}
	}
}
