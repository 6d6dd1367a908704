package codec

import (
	"reflect"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

type smallRecord struct {
	Name  string
	Seed  int64
	Rate  float64
	Since time.Time
	Tags  []string
	Layer map[string]int
}

var smallValue = smallRecord{"forecast", 42, 0.01, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), []string{"a", "b", "c"}, map[string]int{"x": 1, "y": 2}}

// The codec is measured against the library alone, with its own options.
func BenchmarkEncode(b *testing.B) {
	b.Run("library", func(b *testing.B) {
		mode := must(cbor.CoreDetEncOptions().EncMode())
		for b.Loop() {
			_, _ = mode.Marshal(&smallValue)
		}
	})
	b.Run("codec", func(b *testing.B) { benchEncode(b, smallValue) })
	b.Run("walked", func(b *testing.B) {
		benchEncode(b, struct {
			smallRecord
			Kept func() `mops:"-"`
		}{smallRecord: smallValue})
	})
}

func benchEncode(b *testing.B, v any) {
	c := codecFor(b, reflect.TypeOf(v), Input, nil)
	in := reflect.New(c.typ).Elem()
	in.Set(reflect.ValueOf(v))
	for b.Loop() {
		if _, err := c.Encode(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	c := codecFor(b, reflect.TypeFor[smallRecord](), Input, nil)
	data, err := c.Encode(b.Context(), reflect.ValueOf(smallValue))
	if err != nil {
		b.Fatal(err)
	}
	into := new(smallRecord)
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			*into = smallRecord{}
			_ = decMode.Unmarshal(data, into)
		}
	})
	b.Run("codec", func(b *testing.B) {
		for b.Loop() {
			if err := c.Decode(b.Context(), data, reflect.ValueOf(into)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
