package codec

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"net"
	"testing"
	"time"
)

// alike proves that inputs which are equal to a function have one encoding, and
// that the others have their own.
func alike[T any](t *testing.T, same []T, other T) {
	t.Helper()
	first := encoded(t, Input, nil, same[0])
	for i, v := range same {
		returned(t, Input, nil, v)
		if data := encoded(t, Input, nil, v); !bytes.Equal(data, first) {
			t.Errorf("%T: input %d is %x, and the first is %x", v, i, data, first)
		}
	}
	if data := encoded(t, Input, nil, other); bytes.Equal(data, first) {
		t.Errorf("%T: %#v and %#v are both %x", other, same[0], other, data)
	}
}

func TestEqualInputsHaveOneEncoding(t *testing.T) {
	negative := math.Copysign(0, -1)
	alike(t, []float64{0, negative}, math.SmallestNonzeroFloat64)
	alike(t, []float32{0, float32(negative)}, -1)
	alike(t, []float64{math.NaN(), math.Float64frombits(0xfff8000000000001)}, 1)
	alike(t, [][]float64{{1, 0, -3.5}, {1, negative, -3.5}}, []float64{1, 0})
	alike(t, []map[string]float64{{"a": 0}, {"a": negative}}, map[string]float64{"a": 1})
	alike(t, [][]int{nil, {}}, []int{0})
	alike(t, [][]byte{nil, {}}, []byte{0})
	alike(t, []map[string]int{nil, {}}, map[string]int{"": 0})
	alike(t, []*[]int{{}, new([]int)}, nil)
	alike(t, []generic[[]string]{{nil}, {[]string{}}}, generic[[]string]{[]string{""}})
	now := time.Now()
	alike(t, []time.Time{now, now.UTC(), now.Round(0), now.In(time.FixedZone("x", 60))}, now.Add(1))
	alike(t, []time.Time{{}, time.Time{}.In(time.FixedZone("x", 60))}, time.Time{}.Add(1))
	zero := time.Time{}
	alike(t, []*time.Time{&zero}, nil)
}

// Bytes that look like a -0 but are none stay as they are.
func TestOnlyZerosLoseTheirSign(t *testing.T) {
	look := "\xf9\x80\x00"
	v := struct {
		S string
		B []byte
		N uint64
		M uint32
		F float64
		T binaryPointer
		L []float64
	}{look, []byte(look), 0xf98000f98000, 0xf98000, math.Float64frombits(0x40f98000f9800000), binaryPointer{0xf98000}, []float64{math.Copysign(0, -1)}}
	got := returned(t, Input, nil, v)
	if math.Signbit(got.L[0]) {
		t.Error("-0 kept its sign")
	}
	got.L, v.L = nil, nil
	if fmt.Sprint(got) != fmt.Sprint(v) {
		t.Errorf("got %v, want %v", got, v)
	}
}

// The bytes of a type that writes CBOR itself are its own, beside floats too.
func TestSignsInForeignCBORStay(t *testing.T) {
	type beside struct {
		F float64
		R rawFloat
		L []float64
	}
	negative := math.Copysign(0, -1)
	got := returned(t, Input, nil, beside{negative, rawFloat{negative}, []float64{negative}})
	if math.Signbit(got.F) || math.Signbit(got.L[0]) || !math.Signbit(got.R.f) {
		t.Errorf("signs: %v", got)
	}
}

// Values with several forms of zero, to reflect or to their own methods, are
// one zero to omitzero in inputs.
func TestOmittedInputsAreAlike(t *testing.T) {
	type part struct {
		L []int
		T time.Time
		F float64
	}
	type omitting struct {
		L []int          `cbor:",omitzero"`
		B []byte         `cbor:",omitzero"`
		M map[string]int `cbor:",omitzero"`
		F float64        `cbor:",omitzero"`
		T time.Time      `cbor:",omitzero"`
		P part           `cbor:",omitzero"`
		A [2]part        `cbor:",omitzero"`
		E []int          `cbor:",omitempty"`
		W [2]time.Time   `cbor:",omitzero"`
		N big.Int        `cbor:",omitzero"`
		R [1]big.Rat     `cbor:",omitzero"`
		D net.IP         `cbor:",omitzero"`
	}
	far := time.Time{}.In(time.FixedZone("x", 60))
	negative := math.Copysign(0, -1)
	full := part{[]int{}, far, negative}
	seven := big.NewInt(7)
	alike(t, []omitting{
		{},
		{L: []int{}, B: []byte{}, M: map[string]int{}, F: negative, T: far, P: full, A: [2]part{full, {}}, E: []int{},
			W: [2]time.Time{far, {}}, N: *new(big.Int).Sub(seven, seven), R: [1]big.Rat{*big.NewRat(0, 3)}, D: net.IP{}},
	}, omitting{A: [2]part{{}, {L: []int{0}}}})
	if data := encoded(t, Input, nil, omitting{}); !bytes.Equal(data, []byte{0xa0}) {
		t.Errorf("nothing is %x", data)
	}
}

func TestMapsAreSorted(t *testing.T) {
	m := map[string]int{}
	for i := range 100 {
		m[fmt.Sprint(i*i)] = i
	}
	first := encoded(t, Input, nil, m)
	for range 10 {
		if !bytes.Equal(encoded(t, Input, nil, m), first) {
			t.Fatal("one map has two encodings")
		}
	}
	// RFC 8949, section 4.2.1: bytewise order of the encoded keys.
	if got, want := encoded(t, Input, nil, map[int]int{-1: 0, 100: 0, 10: 0}), []byte{0xa3, 0x0a, 0, 0x18, 100, 0, 0x20, 0}; !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}
