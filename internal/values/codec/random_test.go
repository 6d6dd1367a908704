package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// TestRandomTypes makes types and values at random, and proves for each that it
// comes back, that its bytes are those that the library writes where the library
// does right by itself, and that both read the same.
func TestRandomTypes(t *testing.T) {
	rounds := 1000
	if os.Getenv("MOPS_SOAK") == "1" {
		rounds = 200_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	types := forms(t)
	refused := 0
	for range rounds {
		typ := randomType(r, 3)
		for _, side := range []Side{Input, Output} {
			c, err := For(typ, side, types)
			if err != nil {
				refused++
				mayBeRefused(t, typ, err)
				continue
			}
			if err := c.CheckZero(); err != nil {
				t.Errorf("CheckZero: %v", err)
			}
			v := randomValue(r, typ)
			comesBack(t, c, v)
			if side == Input {
				alikeInputs(t, c, v, disguised(r, v))
			}
			comesBack(t, c, reflect.New(typ).Elem())
			if t.Failed() {
				t.Fatalf("seed %d, type %v", seed, typ)
			}
		}
	}
	if refused > rounds {
		t.Errorf("half of all types were refused: %d of %d", refused, 2*rounds)
	}
}

// mayBeRefused are the faults that a type made at random has now and then, all
// of them of embedding.
func mayBeRefused(t *testing.T, typ reflect.Type, err error) {
	t.Helper()
	refused, ok := errors.AsType[*TypeError](err)
	for _, reason := range []string{"the same name", "all fields of the embedded pointer may be left out"} {
		if ok && strings.Contains(refused.Reason, reason) {
			return
		}
	}
	t.Fatalf("For(%v): %v", typ, err)
}

func alikeInputs(t *testing.T, c *Codec, v, other reflect.Value) {
	t.Helper()
	a, errA := c.Encode(t.Context(), v)
	b, errB := c.Encode(t.Context(), other)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("equal inputs, two encodings:\n%+v is %x, %v\n%+v is %x, %v", flat(v), a, errA, flat(other), b, errB)
	}
}

func comesBack(t *testing.T, c *Codec, v reflect.Value) {
	t.Helper()
	data, err := c.Encode(t.Context(), v)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", v, err)
	}
	agrees(t, c, v, data)
	if least, err := c.measure(t.Context(), v); err != nil || least > int64(len(data)) {
		t.Errorf("%#v is %d bytes, and at least %d was expected, %v", v, len(data), least, err)
	}
	large := *c
	large.large = true
	if byParts, err := large.Encode(t.Context(), v); err != nil || !bytes.Equal(byParts, data) {
		t.Errorf("Encode(%#v) = %x, and as a large value %x, %v", v, data, byParts, err)
	}
	got := reflect.New(c.typ)
	if err := decoded(t, c, data, got); err != nil {
		t.Fatalf("Decode(%x) of %#v: %v", data, v, err)
	}
	if again, err := c.Encode(t.Context(), got.Elem()); err != nil || !bytes.Equal(again, data) {
		t.Errorf("%#v is %x, but once decoded %x, %v", v, data, again, err)
	}
	if c.side == Output && fmt.Sprintf("%+v", flat(v)) != fmt.Sprintf("%+v", flat(got.Elem())) {
		t.Errorf("%+v came back as %+v", flat(v), flat(got.Elem()))
	}
}

// flat replaces pointers by their targets, and shows nil, -0 and NaN.
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
		if v.CanInterface() {
			switch x := v.Interface().(type) {
			case time.Time:
				return x.UTC().Format(time.RFC3339Nano)
			case big.Int:
				return x.String()
			}
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
	reflect.TypeFor[form2D](), reflect.TypeFor[rawFloat](), reflect.TypeFor[chained](), reflect.TypeFor[saysZero](),
	reflect.TypeFor[big.Int](), reflect.TypeFor[net.IP](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[cbor.RawMessage](),
}

// embeddedTypes are embedded by themselves and by pointers.
var embeddedTypes = []reflect.Type{
	reflect.TypeFor[Embedded](), reflect.TypeFor[Optional](), reflect.TypeFor[Onward](), reflect.TypeFor[Mixed](), reflect.TypeFor[Empty](),
}

type (
	Onward struct {
		*Embedded
		_ int // reflect.StructOf cannot embed a type that is one pointer
	}
	Mixed struct {
		*Embedded
		M float64 `cbor:",omitzero"`
		N []int
	}
	Empty   struct{}
	chained struct{ linked }
	linked  struct{ binaryPointer }
	// saysZero has an IsZero of its own, which must not be believed.
	saysZero struct {
		N int
		F float32
	}
)

func (s saysZero) IsZero() bool { return true }

var keyTypes = []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[[2]int](), reflect.TypeFor[inner](), reflect.TypeFor[textInt]()}

func randomType(r *rand.Rand, depth int) reflect.Type {
	kind := r.IntN(6)
	if depth == 0 {
		kind = 5
	}
	switch kind {
	case 0:
		elem := randomType(r, depth-1)
		if k := elem.Kind(); k == reflect.Pointer || k == reflect.Slice || k == reflect.Map || k == reflect.Interface {
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
			fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d_%d", i, r.IntN(1000)), Type: randomType(r, depth-1)}
			switch r.IntN(5) {
			case 4:
				if elem := structUnder(fields[i].Type); elem != nil && elem.Name() == "" {
					fields[i].Anonymous = true
					break
				}
				embedded := embeddedTypes[r.IntN(len(embeddedTypes))]
				fields[i] = reflect.StructField{Name: embedded.Name(), Type: embedded, Anonymous: true}
				if slices.ContainsFunc(fields[:i], func(f reflect.StructField) bool { return f.Name == embedded.Name() }) {
					fields[i].Name, fields[i].Anonymous = fmt.Sprintf("F%d", i), false
				}
				if r.IntN(2) == 0 {
					fields[i].Type = reflect.PointerTo(embedded)
				}
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
	case *rawFloat:
		x.f = []float64{math.Copysign(0, -1), 1.5}[r.IntN(2)]
		return
	case *chained:
		x.n = r.Uint32()
		return
	case *big.Int:
		x.Lsh(big.NewInt(int64(r.IntN(3)-1)), uint(r.IntN(200)))
		return
	case *netip.Addr:
		*x = netip.AddrFrom4([4]byte{10, 0, 0, byte(r.Uint32())})
		return
	case *net.IP:
		*x = net.IPv4(10, 0, 0, byte(r.Uint32()))
		switch r.IntN(3) {
		case 0:
			*x = x.To4()
		case 1:
			*x = net.IP{0x20, 1, 14: 0xff, 15: byte(r.Uint32())}
		}
		return
	case *cbor.RawMessage:
		*x = []cbor.RawMessage{{0xf6}, {0x82, 1, 2}, {0x40}}[r.IntN(3)]
		return
	case *form2D:
		*x = []form2D{square{1.5}, (*disc)(nil), &disc{2}, label2("x"), group{}}[r.IntN(5)]
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

// disguised is a value that differs to Go, but is the same as an input: with
// another sign of zero, other zones, nil for empty.
func disguised(r *rand.Rand, v reflect.Value) reflect.Value {
	to := reflect.New(v.Type()).Elem()
	to.Set(v)
	switch x := to.Addr().Interface().(type) {
	case *time.Time:
		*x = x.In(time.FixedZone("far", 3600))
		return to
	case *big.Int:
		if x.Sign() == 0 {
			x.Sub(big.NewInt(7), big.NewInt(7))
		}
		return to
	case *net.IP:
		if ip4 := x.To4(); ip4 != nil {
			*x = ip4
			if r.IntN(2) == 0 {
				*x = ip4.To16()
			}
		} else if len(*x) == 0 {
			*x = net.IP{}
		}
		return to
	case *netip.Addr, *rawFloat:
		return to
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if v.Float() == 0 {
			to.SetFloat(math.Copysign(0, float64(r.IntN(2)*2-1)))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			to.Set(reflect.New(v.Type().Elem()))
			to.Elem().Set(disguised(r, v.Elem()))
		}
	case reflect.Slice:
		if v.Len() == 0 {
			to.SetZero()
			if r.IntN(2) == 0 {
				to.Set(reflect.MakeSlice(v.Type(), 0, 1))
			}
			return to
		}
		to.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			to.Index(i).Set(disguised(r, v.Index(i)))
		}
	case reflect.Map:
		if v.Len() == 0 && r.IntN(2) == 0 {
			to.SetZero()
			return to
		}
		to.Set(reflect.MakeMap(v.Type()))
		for iter := v.MapRange(); iter.Next(); {
			to.SetMapIndex(iter.Key(), disguised(r, iter.Value()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := to.Field(i); f.CanSet() {
				f.Set(disguised(r, v.Field(i)))
			}
		}
	}
	return to
}
