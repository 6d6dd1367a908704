package dynamic

import (
	"encoding/hex"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/values/codec"
)

// What package codec writes is read here without its types.
type sample struct {
	Int     int
	Low     int64
	High    uint64
	Huge    *big.Int
	Small   *big.Int
	Ratio   float64
	Half    float32
	Name    string
	Data    []byte
	List    []string
	Points  map[string]int
	ByID    map[int]bool
	When    time.Time
	Nothing *int
	Yes     bool
	Shape   interface{ Area() float64 }
}

type circle struct{ Radius float64 }

func (c circle) Area() float64 { return c.Radius }

func encode[T any](t *testing.T, v T) []byte {
	t.Helper()
	types := new(codec.Types)
	if err := types.Register("shapes.circle", reflect.TypeFor[circle]()); err != nil {
		t.Fatal(err)
	}
	c, err := codec.For(reflect.TypeFor[T](), codec.Output, types)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Encode(t.Context(), reflect.ValueOf(v))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func aSample() sample {
	huge := new(big.Int).Lsh(big.NewInt(1), 70)
	return sample{
		Int: -7, Low: math.MinInt64, High: math.MaxUint64, Huge: huge, Small: new(big.Int).Neg(huge), Ratio: 0.1, Half: 1.5,
		Name: "Oslo", Data: []byte{1, 2}, List: []string{"a", "b"}, Points: map[string]int{"x y": 1}, ByID: map[int]bool{3: true},
		When: time.Date(2026, 11, 23, 14, 12, 0, 5, time.UTC), Yes: true, Shape: circle{2},
	}
}

func TestDecodeReadsWhatCodecWrites(t *testing.T) {
	in := aSample()
	value, err := Decode(t.Context(), encode(t, in))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := value.(Map)
	if !ok {
		t.Fatalf("a struct is a %T", value)
	}
	for name, want := range map[string]any{
		"Int": int64(-7), "Low": int64(math.MinInt64), "High": uint64(math.MaxUint64), "Huge": in.Huge, "Small": in.Small,
		"Ratio": 0.1, "Half": 1.5, "Name": "Oslo", "Data": []byte{1, 2}, "List": []any{"a", "b"},
		"Points": Map{{"x y", int64(1)}}, "ByID": Map{{int64(3), true}}, "When": in.When, "Nothing": nil, "Yes": true,
		"Shape": Object{"shapes.circle", Map{{"Radius", 2.0}}},
	} {
		if got, ok := m.Lookup(name); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, want %#v", name, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		data string
		want any
	}{
		"lowest int of CBOR":  {"3bffffffffffffffff", new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 64))},
		"undefined":           {"f7", Simple(23)},
		"simple":              {"f8ff", Simple(255)},
		"half float":          {"f93e00", 1.5},
		"infinity":            {"f97c00", math.Inf(1)},
		"tag":                 {"d82a6161", Tagged{42, "a"}},
		"time that is none":   {"c06161", Tagged{0, "a"}},
		"object that is none": {"d81b8101", Tagged{27, []any{int64(1)}}},
		"source": {
			"a3646b696e646466696c656473697a650366736861323536" + "5820" + hash,
			Source{Kind: "file", Hash: hash, Size: 3},
		},
		"no source": {"a3646b696e646466696c656473697a65036673686132353641ab", Map{{"kind", "file"}, {"size", int64(3)}, {"sha256", []byte{0xab}}}},
	} {
		data, err := hex.DecodeString(c.data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(t.Context(), data); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v; want %#v", name, got, err, c.want)
		}
	}
}

// Whatever is cut off, what stands before it is read.
func TestDecodeOfTruncatedData(t *testing.T) {
	data := encode(t, aSample())
	whole, err := Decode(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(data) {
		value, err := Decode(t.Context(), data[:n])
		if err == nil {
			t.Fatalf("the first %d bytes of %d decode", n, len(data))
		}
		m, ok := value.(Map)
		if n > 0 && !ok {
			t.Fatalf("of the first %d bytes there is only %v", n, value)
		}
		if len(m) > 1 && !reflect.DeepEqual(m[0], whole.(Map)[0]) {
			t.Fatalf("of the first %d bytes the first field is %v", n, m[0])
		}
	}
	if _, err := Decode(t.Context(), append(data, 0)); err == nil || !strings.Contains(err.Error(), "follow") {
		t.Errorf("a byte too much: %v", err)
	}
}

func TestDecodeTrustsNoLength(t *testing.T) {
	for _, data := range []string{"9bffffffffffffffff01", "bbffffffffffffffff01", "5bffffffffffffffff01", "7bffffffffffffffff", "9f01ff"} {
		bytes, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(t.Context(), bytes); err == nil {
			t.Errorf("%s decodes", data)
		}
	}
	deep := []byte(strings.Repeat("\x81", 1_000_000))
	if _, err := Decode(t.Context(), deep); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("a million arrays in each other: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0xa1, 0x61, 'a', 0x82, 0x01, 0xc0, 0x60})
	f.Add([]byte{0xd8, 0x1b, 0x82, 0x61, 'x', 0xf9, 0x7e, 0x00})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		value, _ := Decode(t.Context(), data)
		var text strings.Builder
		Write(t.Context(), &text, value, Options{})
		if strings.ContainsAny(text.String()+Short(value, 50), "\x1b\x07\u009b\u202e") {
			t.Errorf("control characters come through: %q", text.String())
		}
		if _, err := (JSON{value}).MarshalJSON(); err != nil {
			t.Errorf("no JSON of %v: %v", value, err)
		}
		if d := Diff(value, value, "V", 10); len(d) > 0 && !strings.Contains(text.String(), "unreadable") {
			t.Errorf("a value differs from itself: %v", d)
		}
	})
}
