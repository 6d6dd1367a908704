package codec

import (
	"context"
	"database/sql"
	"encoding"
	"errors"
	"io"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/fxamacker/cbor/v2"
)

type (
	onlyMarshal   struct{ A int }
	onlyUnmarshal struct{ A int }
	readsBytes    []byte
	readsText     string
	readsNumber   int
	twoEmbedded   struct {
		time.Time
		Name string
	}
	cancelOut struct { // neither lends its methods
		time.Time
		//lint:ignore U1000 Define looks at fields, whoever uses them
		uuid
	}
	Shadowed  struct{ A int }
	shadowing struct {
		Shadowed
		A string
	}
	left  struct{ A int }
	right struct{ A int }
	both  struct {
		left
		right
	}
	hidden   struct{ B int }
	toHidden struct {
		*hidden
	}
	Optional struct {
		A int `cbor:",omitzero"`
	}
	toOptional struct{ *Optional }
	Loop       struct {
		*Loop
		A int
	}
	deep struct {
		Layers []struct {
			M map[string]*struct{ hook func() }
		}
	}
	withLock struct {
		N int
		//lint:ignore U1000 Define looks at fields, whoever uses them
		mu sync.Mutex
	}
	arrayStruct struct {
		_ struct{} `cbor:",toarray"`
		A int
	}
)

type amount struct{ *big.Int }

type bothWays interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

func (onlyMarshal) MarshalText() ([]byte, error)  { return nil, nil }
func (*onlyUnmarshal) UnmarshalCBOR([]byte) error { return nil }
func (*readsBytes) UnmarshalBinary([]byte) error  { return nil }
func (*readsText) UnmarshalText([]byte) error     { return nil }
func (*readsNumber) UnmarshalText([]byte) error   { return nil }

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		typ    reflect.Type
		side   Side
		path   string
		reason string
		mend   string
	}{
		{reflect.TypeFor[chan int](), Input, "In", "no value that could be stored", `mops:"-"`},
		{reflect.TypeFor[func()](), Output, "Out", "no value that could be stored", "take it out"},
		{reflect.TypeFor[struct{ P unsafe.Pointer }](), Input, "In.P", "another process", `mops:"-"`},
		{reflect.TypeFor[[]uintptr](), Output, "Out[]", "another process", "take it out"},
		{reflect.TypeFor[map[string]complex64](), Input, "In[]", "complex", "two floats"},
		{reflect.TypeFor[[2]complex128](), Input, "In[]", "complex", "two floats"},
		{reflect.TypeFor[any](), Input, "In", "hold anything", "concrete type"},
		{reflect.TypeFor[struct{ E error }](), Output, "Out.E", "no registered type", "RegisterType"},
		{reflect.TypeFor[[]io.Reader](), Input, "In[]", "no registered type", "RegisterType"},
		{reflect.TypeFor[context.Context](), Input, "In", "no registered type", "RegisterType"},
		{reflect.TypeFor[deep](), Input, "In.Layers[].M[].hook", "unexported", "export it"},
		{reflect.TypeFor[withLock](), Output, "Out.mu", "unexported", "MarshalBinary"},
		{reflect.TypeFor[sync.Mutex](), Input, "In._", "", ""},
		{reflect.TypeFor[*sql.DB](), Input, "In.", "unexported", ""},
		{reflect.TypeFor[map[float64]int](), Input, "In[key]", "NaN", "integer"},
		{reflect.TypeFor[map[[2]float32]int](), Input, "In[key][]", "NaN", "integer"},
		{reflect.TypeFor[map[struct{ A, B float64 }]int](), Input, "In[key].A", "NaN", "integer"},
		{reflect.TypeFor[map[time.Time]int](), Input, "In[key]", "instant", "UnixNano"},
		{reflect.TypeFor[map[struct{ T time.Time }]int](), Input, "In[key].T", "instant", "UnixNano"},
		{reflect.TypeFor[map[*int]int](), Input, "In[key]", "pointer", "what it points to"},
		{reflect.TypeFor[map[any]int](), Input, "In[key]", "hold anything", ""},
		{reflect.TypeFor[struct {
			A int `json:"-"`
		}](), Input, "In.A", "leaves the field out", `mops:"-"`},
		{reflect.TypeFor[struct {
			A int `cbor:"-" json:"a"`
		}](), Output, "Out.A", "leaves the field out", "give it a name"},
		{reflect.TypeFor[struct {
			A int `mops:"-"`
		}](), Output, "Out.A", "leave a field behind", "remove the tag"},
		{reflect.TypeFor[struct {
			a chan int `mops:"-"`
		}](), Input, "In.a", "cannot be handed over", "export it"},
		{reflect.TypeFor[struct {
			A int `cbor:"1,keyasint"`
		}](), Input, "In.A", "keyasint", "remove it"},
		{reflect.TypeFor[arrayStruct](), Input, "In", "toarray", "remove it"},
		{reflect.TypeFor[shadowing](), Input, "In.A", "same name", "rename"},
		{reflect.TypeFor[both](), Input, "In.A", "same name", "rename"},
		{reflect.TypeFor[struct {
			A int
			B int `json:"A"`
		}](), Input, "In.B", "same name", "rename"},
		{reflect.TypeFor[toHidden](), Input, "In.hidden", "embedded pointer", "embed the struct itself"},
		{reflect.TypeFor[struct{ *Onward }](), Output, "Out.Onward", "come back as nil", "give the field a name"},
		{reflect.TypeFor[struct{ *Empty }](), Input, "In.Empty", "come back as nil", "give the field a name"},
		{reflect.TypeFor[struct{ *big.Int }](), Input, "In", "nil in a new value", "give the embedded field a name"},
		{reflect.TypeFor[[]struct{ amount }](), Output, "Out[]", "nil in a new value", "give the embedded field a name"},
		{reflect.TypeFor[struct{ bothWays }](), Input, "In", "nil in a new value", "give the embedded field a name"},
		{reflect.TypeFor[toOptional](), Output, "Out.Optional", "come back as nil", "give the field a name"},
		{reflect.TypeFor[Loop](), Input, "In.Loop", "embeds itself", "give the field a name"},
		{reflect.TypeFor[twoEmbedded](), Input, "In", "embedded field", "give the embedded field a name"},
		{reflect.TypeFor[cancelOut](), Input, "In.Time", "taken apart", "give the field a name"},
		{reflect.TypeFor[struct {
			L []int `json:",omitempty"`
		}](), Output, "Out.L", "nil and empty", "omitzero"},
		{reflect.TypeFor[struct {
			M map[string]int `json:",omitempty"`
		}](), Output, "Out.M", "nil and empty", "omitzero"},
		{reflect.TypeFor[struct {
			F float32 `json:",omitempty"`
		}](), Output, "Out.F", "-0", "omitzero"},
		{reflect.TypeFor[struct {
			T textValue `json:",omitempty"`
		}](), Input, "In.T", "marshals itself", "omitzero"},
		{reflect.TypeFor[**int](), Input, "In", "nil pointer", "one pointer"},
		{reflect.TypeFor[*[]int](), Output, "Out", "nil pointer", "nil and empty are kept apart"},
		{reflect.TypeFor[*map[string]int](), Output, "Out", "nil pointer", "nil and empty are kept apart"},
		{reflect.TypeFor[*error](), Input, "In", "nil pointer", "interface itself"},
		{reflect.TypeFor[onlyMarshal](), Input, "In", "no UnmarshalText", "add UnmarshalText"},
		{reflect.TypeFor[[]onlyUnmarshal](), Input, "In[]", "no MarshalCBOR", "add MarshalCBOR"},
		{reflect.TypeFor[readsBytes](), Input, "In", "no MarshalBinary", "add MarshalBinary"},
		{reflect.TypeFor[readsText](), Input, "In", "no MarshalText", "add MarshalText"},
		{reflect.TypeFor[big.Float](), Input, "In", "precision", "float64"},
		{reflect.TypeFor[cbor.Tag](), Input, "In", "", "cbor.RawMessage"},
	} {
		_, err := For(test.typ, test.side, nil)
		refused, ok := errors.AsType[*TypeError](err)
		if !ok {
			t.Errorf("For(%v): %v, want a *TypeError", test.typ, err)
			continue
		}
		exact := refused.Path == test.path || test.path == "In." && strings.HasPrefix(refused.Path, "In.") || test.path == "In._"
		if !exact || !strings.Contains(refused.Reason, test.reason) || !strings.Contains(refused.Mend, test.mend) || refused.Mend == "" {
			t.Errorf("For(%v): %v\nwant path %s, reason %q, mend %q", test.typ, err, test.path, test.reason, test.mend)
		}
	}
}

func TestRefusedTypesOfInterest(t *testing.T) {
	// A type that only reads numbers from text is read as it was written.
	everywhere(t, readsNumber(3))
	// A lone embedded field lends its methods, and nothing is lost.
	everywhere(t, struct{ binaryValue }{binaryValue{4}})
	everywhere(t, chained{linked{binaryPointer{4}}})
	everywhere(t, struct {
		_ int
		chained
	}{chained: chained{linked{binaryPointer{4}}}})
	if !IsUnregistered(errorOf(For(reflect.TypeFor[struct{ E error }](), Input, nil))) {
		t.Error("a missing registration is not told from a bad type")
	}
	if IsUnregistered(errorOf(For(reflect.TypeFor[chan int](), Input, nil))) {
		t.Error("a bad type is taken for a missing registration")
	}
}

func errorOf[T any](_ T, err error) error { return err }

// A struct that embeds what marshals itself is fine if it does so for itself. If
// not, its marshal method is promoted from below, and knows nothing of the fields
// of any struct on the way: from one embedded struct or through a chain of them,
// both methods or only the one that reads.
func TestOwnMarshalingBeatsEmbedded(t *testing.T) {
	everywhere(t, ownValue{binaryValue{1}, "x"})
	everywhere(t, ownPointer{binaryValue{1}, "x"})
	for _, typ := range []reflect.Type{
		reflect.TypeFor[lent](), reflect.TypeFor[lentTiny](), reflect.TypeFor[lentByPointer](), reflect.TypeFor[lentGeneric[int]](), reflect.TypeFor[lentTwice](),
		reflect.TypeFor[lentChain](), reflect.TypeFor[struct{ lentChain }](), reflect.TypeFor[[]struct{ lentHalf }](), reflect.TypeFor[lentHalf](),
	} {
		if _, err := For(typ, Input, nil); err == nil || !strings.Contains(err.Error(), "embedded field") {
			t.Errorf("For(%v): %v", typ, err)
		}
	}
}

type (
	ownValue struct {
		binaryValue
		Name string
	}
	ownPointer struct {
		binaryValue
		Name string
	}
	lent struct {
		binaryPointer
		Name string
	}
	lentTiny struct {
		tiny
		Name string
	}
	lentByPointer struct {
		*tiny
		Name string
	}
	lentGeneric[T any] struct {
		tiny
		Name T
	}
	lentTwice struct {
		lentTiny
		Other int
	}
	lentChain struct{ lent }
	lentHalf  struct {
		binaryValue
		Name string
	}
	tiny struct{} // its methods are surely inlined
)

func (v lentHalf) MarshalBinary() ([]byte, error) { return ownMarshal(v.n, v.Name) }

func (tiny) MarshalBinary() ([]byte, error) { return nil, nil }
func (tiny) UnmarshalBinary([]byte) error   { return nil }

func (v ownValue) MarshalBinary() ([]byte, error)       { return ownMarshal(v.n, v.Name) }
func (v *ownValue) UnmarshalBinary(data []byte) error   { return ownUnmarshal(data, &v.n, &v.Name) }
func (v *ownPointer) MarshalBinary() ([]byte, error)    { return ownMarshal(v.n, v.Name) }
func (v *ownPointer) UnmarshalBinary(data []byte) error { return ownUnmarshal(data, &v.n, &v.Name) }

func ownMarshal(n uint32, name string) ([]byte, error) { return append([]byte{byte(n)}, name...), nil }
func ownUnmarshal(data []byte, n *uint32, name *string) error {
	*n, *name = uint32(data[0]), string(data[1:])
	return nil
}
