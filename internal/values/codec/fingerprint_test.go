package codec

import (
	"reflect"
	"testing"
	"time"
)

func print(t testing.TB, typ reflect.Type) string {
	return codecFor(t, typ, Input, nil).Fingerprint()
}

func same(t *testing.T, a, b reflect.Type) {
	t.Helper()
	if print(t, a) != print(t, b) {
		t.Errorf("%v and %v have different fingerprints", a, b)
	}
}

type (
	person struct {
		Name  string
		Age   int
		Bag   []byte
		Since time.Time
	}
	renamedPerson struct { // moved, renamed, in another order
		Since time.Time
		Bag   []byte
		Age   int
		Name  string
	}
	extendedPerson struct {
		Extra *chain `cbor:",omitzero"`
		renamedPerson
	}
	taggedPerson struct {
		N string    `cbor:"Name"`
		A int       `json:"Age"`
		B namedBlob `json:"Bag"`
		S time.Time `cbor:"Since"`
	}
	namedBlob []byte

	chain  struct{ Next *chain }
	chain2 struct{ Next *struct{ Next *chain2 } }
	ping   struct{ Other *pong }
	pong   struct{ Other *ping }
	one    struct{ A, B inner }
	inner2 struct {
		B string
		A int
	}
	two struct {
		A inner
		B inner2
	}
)

func TestFingerprintKeepsWithNamesAndPlaces(t *testing.T) {
	same(t, reflect.TypeFor[person](), reflect.TypeFor[renamedPerson]())
	same(t, reflect.TypeFor[person](), reflect.TypeFor[extendedPerson]())
	same(t, reflect.TypeFor[person](), reflect.TypeFor[taggedPerson]())
	same(t, reflect.TypeFor[string](), reflect.TypeFor[namedString]())
	same(t, reflect.TypeFor[int64](), reflect.TypeFor[time.Duration]())
	same(t, reflect.TypeFor[one](), reflect.TypeFor[two]())
	same(t, reflect.TypeFor[chain](), reflect.TypeFor[chain2]())
	same(t, reflect.TypeFor[struct{ A ping }](), reflect.TypeFor[struct{ A pong }]())
	if a, b := codecFor(t, reflect.TypeFor[person](), Output, nil), print(t, reflect.TypeFor[person]()); a.Fingerprint() != b {
		t.Error("one type has a fingerprint for each side")
	}
}

func TestFingerprintChangesWithAllElse(t *testing.T) {
	seen := map[string]reflect.Type{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](),
		reflect.TypeFor[[]byte](), reflect.TypeFor[[]int8](), reflect.TypeFor[[]int](), reflect.TypeFor[[1]int](), reflect.TypeFor[[2]int](), reflect.TypeFor[[2]byte](), reflect.TypeFor[[3]byte](),
		reflect.TypeFor[*int](), reflect.TypeFor[[]*int](), reflect.TypeFor[[][]int](),
		reflect.TypeFor[map[string]int](), reflect.TypeFor[map[int]string](), reflect.TypeFor[map[string]string](),
		reflect.TypeFor[time.Time](), reflect.TypeFor[textValue](), reflect.TypeFor[textPointer](), reflect.TypeFor[binaryValue](), reflect.TypeFor[cborValue](), reflect.TypeFor[uuid](),
		reflect.TypeFor[generic[int]](), reflect.TypeFor[generic[string]](),
		reflect.TypeFor[struct{}](), reflect.TypeFor[struct{ A int }](), reflect.TypeFor[struct{ B int }](), reflect.TypeFor[struct{ A string }](),
		reflect.TypeFor[struct{ A *int }](), reflect.TypeFor[struct{ A struct{ A int } }](),
		reflect.TypeFor[struct{ A, B int }](), reflect.TypeFor[struct {
			A int
			B string
		}](),
		reflect.TypeFor[struct {
			A int `cbor:",omitempty"`
		}](),
		reflect.TypeFor[struct {
			A int `cbor:"a"`
		}](),
		reflect.TypeFor[chain](), reflect.TypeFor[*chain](), reflect.TypeFor[list](), reflect.TypeFor[tree](), reflect.TypeFor[bare](), reflect.TypeFor[[]bare](),
		reflect.TypeFor[struct{ Next *struct{ Next *struct{} } }](), reflect.TypeFor[struct{ Next *struct{} }](),
		reflect.TypeFor[person](), reflect.TypeFor[one](), reflect.TypeFor[twin](),
	} {
		if typ == reflect.TypeFor[list]() || typ == reflect.TypeFor[[]bare]() {
			continue // built like chain and bare
		}
		p := print(t, typ)
		if other, ok := seen[p]; ok {
			t.Errorf("%v and %v have one fingerprint", typ, other)
		}
		seen[p] = typ
	}
}

func TestFingerprintCountsImplementations(t *testing.T) {
	typ := reflect.TypeFor[group]()
	prints := map[string]bool{}
	for _, names := range []map[string]reflect.Type{
		{"a": reflect.TypeFor[square]()},
		{"b": reflect.TypeFor[square]()},
		{"a": reflect.TypeFor[*square]()},
		{"a": reflect.TypeFor[*disc]()},
		{"a": reflect.TypeFor[square](), "b": reflect.TypeFor[*disc]()},
		{"b": reflect.TypeFor[square](), "a": reflect.TypeFor[*disc]()},
	} {
		types := new(Types)
		for name, typ := range names {
			if err := types.Register(name, typ); err != nil {
				t.Fatal(err)
			}
		}
		prints[codecFor(t, typ, Input, types).Fingerprint()] = true
	}
	if len(prints) != 6 {
		t.Errorf("6 sets of implementations have %d fingerprints", len(prints))
	}
}
