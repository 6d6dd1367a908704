package codec

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

type (
	namedBool   bool
	namedInt    int16
	namedFloat  float32
	namedString string
	namedBytes  []byte
	namedByte   byte
	namedMap    map[namedString]namedInt
	inner       struct {
		A int
		B string
	}
	Embedded   struct{ E, F int }
	unexported struct{ G *int }
	embedding  struct {
		Embedded
		unexported
		Own string
	}
	embeddingPointer struct {
		*Embedded
		Own string
	}
	generic[T any] struct{ V T }
	tagged         struct {
		A int    `json:"a,string"`
		B string `cbor:"b" json:"ignored"`
		C int    `json:",omitempty"`
		D []int  `cbor:"d,omitzero"`
		//lint:ignore SA5008 "-," is how encoding/json spells the name "-"
		E string `json:"-,"`
		_ int
	}
)

// everywhere proves that a value comes back in every position that a type may
// have. DeepEqual is what "comes back" means.
func everywhere[T any](t *testing.T, v T) {
	t.Helper()
	t.Run(fmt.Sprintf("%T", v), func(t *testing.T) {
		back(t, v)
		back(t, []T{v, v})
		back(t, [2]T{v})
		back(t, map[string]T{"a": v, "b": v})
		back(t, struct{ A, B T }{A: v})
		back(t, struct {
			A T `cbor:",omitzero"`
		}{v})
		back(t, generic[generic[T]]{generic[T]{v}})
		back(t, [][]map[int8]T{{{3: v}}, nil, {}})
		kind := reflect.TypeFor[T]().Kind()
		if kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map {
			if _, err := For(reflect.TypeFor[*T](), Output, nil); err != nil {
				return // pointers to these are refused
			}
		}
		back(t, &v)
		back(t, (*T)(nil))
		back(t, []*T{&v, nil})
		back(t, map[string]*T{"a": &v, "b": nil})
		back(t, struct{ A, B *T }{A: &v})
	})
}

func back[T any](t *testing.T, v T) {
	t.Helper()
	if got := returned(t, Output, nil, v); !reflect.DeepEqual(got, v) {
		t.Errorf("output %T: %#v came back as %#v", v, v, got)
	}
	returned(t, Input, nil, v)
}

func TestEverythingComesBack(t *testing.T) {
	everywhere(t, true)
	everywhere(t, namedBool(true))
	everywhere(t, int64(math.MinInt64))
	everywhere(t, int8(math.MinInt8))
	everywhere(t, namedInt(-300))
	everywhere(t, int32(math.MaxInt32))
	everywhere(t, uint64(math.MaxUint64))
	everywhere(t, uint8(200))
	everywhere(t, uint16(65535))
	everywhere(t, uint32(math.MaxUint32))
	everywhere(t, 0.1)
	everywhere(t, math.Inf(-1))
	everywhere(t, math.MaxFloat64)
	everywhere(t, math.SmallestNonzeroFloat64)
	everywhere(t, float32(0.1))
	everywhere(t, namedFloat(1.5))
	everywhere(t, "")
	everywhere(t, "plain")
	everywhere(t, namedString(strings.Repeat("ü", 300)))
	everywhere(t, "\xff\xfe is not UTF-8")
	everywhere(t, []byte{1, 2})
	everywhere(t, []byte{})
	everywhere(t, []byte(nil))
	everywhere(t, namedBytes("x"))
	everywhere(t, []namedByte{1, 2})
	everywhere(t, [3]byte{1, 2, 3})
	everywhere(t, [2]namedByte{1, 2})
	everywhere(t, [0]int{})
	everywhere(t, []int{1, 2})
	everywhere(t, []int{})
	everywhere(t, []int(nil))
	everywhere(t, []string{"", "x"})
	everywhere(t, []bool{true, false})
	everywhere(t, map[string]int{"b": 1, "a": 2})
	everywhere(t, map[string]int{})
	everywhere(t, map[string]int(nil))
	everywhere(t, map[string]string{"b": "1", "a": "2"})
	everywhere(t, namedMap{"x": 1})
	everywhere(t, map[int]bool{-1: true, 300: false})
	everywhere(t, map[bool]int{true: 1})
	everywhere(t, map[inner]int{{1, "x"}: 1, {2, ""}: 2})
	everywhere(t, map[[2]int]int{{1, 2}: 3})
	everywhere(t, map[[2]byte]int{{1, 2}: 3})
	everywhere(t, inner{1, "x"})
	everywhere(t, struct{}{})
	g := 7
	everywhere(t, embedding{Embedded{1, 2}, unexported{&g}, "own"})
	everywhere(t, embeddingPointer{&Embedded{1, 0}, "own"})
	everywhere(t, embeddingPointer{nil, "own"})
	everywhere(t, generic[[]int]{[]int{1}})
	everywhere(t, tagged{A: 1, B: "b", D: []int{}, E: "e"})
	everywhere(t, time.Second)
	everywhere(t, time.March)
}

func TestTypesThatMarshalThemselvesComeBack(t *testing.T) {
	everywhere(t, cborValue{1})
	everywhere(t, cborPointer{2})
	everywhere(t, binaryValue{3})
	everywhere(t, binaryPointer{4})
	everywhere(t, textValue{"five"})
	everywhere(t, textPointer{"six"})
	everywhere(t, textInt(7))
	everywhere(t, allWays{8})
	everywhere(t, binaryAndText{binaryValue{9}})
	everywhere(t, uuid{10, 11})
	everywhere(t, map[uuid]int{{1}: 1, {2}: 2})
	everywhere(t, map[textInt]int{1: 1, 22: 2})
	everywhere(t, map[cborPointer]int{{1}: 1})
	everywhere(t, map[netip.Addr]int{netip.MustParseAddr("::1"): 1})
	everywhere(t, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	everywhere(t, time.Time{})
	everywhere(t, *big.NewInt(-5))
	everywhere(t, *new(big.Int).Lsh(big.NewInt(-3), 100))
	back(t, []*big.Rat{big.NewRat(1, 3), nil, big.NewRat(-2, 1)})
	everywhere(t, netip.MustParseAddr("fe80::1%eth0"))
	everywhere(t, netip.MustParsePrefix("10.0.0.0/8"))
	everywhere(t, netip.MustParseAddrPort("[::1]:80"))
	everywhere(t, net.ParseIP("192.0.2.1"))
	everywhere(t, url.URL{Scheme: "https", Host: "example.org", Path: "/a b", RawQuery: "q=1"})
	everywhere(t, json.RawMessage(`{"a":1}`))
	back(t, []cbor.RawMessage{{0x82, 1, 2}, {0x40}})
	back(t, map[string]*cbor.RawMessage{"a": {0x82, 1, 2}, "b": nil})
}

func TestTimesAreInstantsInUTC(t *testing.T) {
	zone := time.FixedZone("far", 5*3600)
	moment := time.Date(2026, 7, 1, 12, 0, 0, 123456789, zone)
	if got := returned(t, Output, nil, moment); got != moment.UTC() {
		t.Errorf("got %v, want %v", got, moment.UTC())
	}
	if got := returned(t, Output, nil, time.Now()); got.Location() != time.UTC {
		t.Errorf("the location is %v", got.Location())
	}
	back(t, time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))
	back(t, time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC))
	// In UTC this is the year 9999, though it does not look so.
	edge := time.Date(10000, 1, 1, 1, 0, 0, 0, zone)
	if got := returned(t, Output, nil, edge); !got.Equal(edge) {
		t.Errorf("got %v, want %v", got, edge)
	}
}

func TestOutputsAreFaithful(t *testing.T) {
	negative := math.Copysign(0, -1)
	if got := returned(t, Output, nil, struct{ F float64 }{negative}); !math.Signbit(got.F) {
		t.Error("-0 came back as +0")
	}
	type omitting struct {
		F float64 `cbor:",omitzero"`
	}
	if got := returned(t, Output, nil, omitting{negative}); !math.Signbit(got.F) {
		t.Error("-0 came back as +0 from an omitzero field")
	}
	for _, bits := range []uint64{0x7ff8000000000001, 0x7ff8dead00000000, 0xfff8000000000000} {
		got := returned(t, Output, nil, []float64{math.Float64frombits(bits)})
		if math.Float64bits(got[0]) != bits {
			t.Errorf("NaN %x came back as %x", bits, math.Float64bits(got[0]))
		}
	}
	if got := returned(t, Output, nil, float32(math.Float32frombits(0x7fc00123))); math.Float32bits(got) != 0x7fc00123 {
		t.Errorf("NaN came back as %x", math.Float32bits(got))
	}
}

// A custom IsZero does not decide which fields are left out: the zero value
// does.
type liar struct{ N int }

func (liar) IsZero() bool { return true }

func TestOmitZeroIsNotFooled(t *testing.T) {
	back(t, struct {
		L liar       `cbor:",omitzero"`
		P *liar      `cbor:",omitzero"`
		T *time.Time `cbor:",omitzero"`
	}{liar{1}, &liar{2}, &time.Time{}})
}
