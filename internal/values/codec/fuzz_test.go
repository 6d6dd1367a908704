package codec

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"net"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// rich has a bit of everything.
type rich struct {
	B     bool
	I     int32
	U     uint64
	F     float64
	S     string
	Bytes []byte
	T     time.Time
	P     *time.Time
	Text  textInt
	Bin   binaryPointer
	Raw   *cborValue
	L     []inner
	M     map[string][]float32
	K     map[inner]bool
	Rec   *twin
	Tree  tree
	Forms []form2D
	Emb   embedding
	O     []int   `cbor:",omitzero"`
	N     big.Int `cbor:",omitzero"`
	Addr  net.IP
	Own   cbor.RawMessage
	*Near
}

type (
	Near struct {
		*Far
		NearA int
	}
	Far struct {
		FarA []byte
		FarB float64 `cbor:",omitzero"`
	}
)

func richCodecs(t testing.TB) []*Codec {
	return []*Codec{
		codecFor(t, reflect.TypeFor[rich](), Input, forms(t)), codecFor(t, reflect.TypeFor[rich](), Output, forms(t)),
		codecFor(t, reflect.TypeFor[[]inner](), Output, nil), codecFor(t, reflect.TypeFor[map[string]int](), Input, nil),
	}
}

// Bytes from anywhere make an error or a value that can be encoded; never a
// panic, and never much more memory than the bytes take.
func FuzzDecode(f *testing.F) {
	codecs := richCodecs(f)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		v := randomValue(r, reflect.TypeFor[rich]())
		if data, err := codecs[1].Encode(f.Context(), v); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte{0x9b, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}) // an array of 2 billion elements that never come
	f.Add([]byte{0xbb, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Add(bytes.Repeat([]byte{0x81}, 20_000))
	f.Add([]byte{0x9f, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range codecs {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v := reflect.New(c.typ)
			err := c.Decode(t.Context(), data, v)
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+2000*len(data)); got > most {
				t.Errorf("%d bytes took %d bytes of memory", len(data), got)
			}
			if err != nil {
				if !v.Elem().IsZero() {
					t.Errorf("an error leaves %#v", v.Elem())
				}
				continue
			}
			encoded, err := c.Encode(t.Context(), v.Elem())
			if err != nil {
				t.Errorf("%x decodes to what cannot be encoded: %v", data, err)
				continue
			}
			if err := decoded(t, c, encoded, v); err != nil {
				t.Errorf("%x was encoded as %x, which does not decode: %v", data, encoded, err)
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	codecs := richCodecs(f)[:2]
	for seed := range uint64(20) {
		f.Add(seed, "\xffx", 0.5, []byte{1}, int64(1))
	}
	f.Fuzz(func(t *testing.T, seed uint64, s string, x float64, b []byte, sec int64) {
		v := randomValue(rand.New(rand.NewPCG(seed, 0)), reflect.TypeFor[rich]())
		r := v.Addr().Interface().(*rich)
		r.S, r.F, r.Bytes = s, x, b
		r.M = map[string][]float32{s: {float32(x), 0}}
		r.Forms = []form2D{square{x}, nil, group{[]form2D{&disc{x}}}}
		if when := time.Unix(sec, int64(seed%1e9)).UTC(); when.Year() >= 0 && when.Year() <= 9999 {
			r.T, r.P = when, &when
		}
		for _, c := range codecs {
			comesBack(t, c, v)
		}
	})
}
