package codec

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

type (
	list  struct{ Next *list }
	tree  struct{ Kids []tree }
	graph struct{ To map[string]graph }
	bare  []bare
	nests map[string]nests
	twin  struct {
		Name        string
		Left, Right *twin
	}
)

func depthOf(n int) *list {
	var l *list
	for range n {
		l = &list{l}
	}
	return l
}

func TestDeepValuesComeBack(t *testing.T) {
	for _, side := range []Side{Input, Output} {
		deep := depthOf(MaxDepth)
		if got := returned(t, side, nil, deep); !reflect.DeepEqual(got, deep) {
			t.Error("a list of the greatest depth did not come back")
		}
	}
}

func TestTooDeepIsRefusedOnBothSides(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[*list](), Input, nil)
	for _, n := range []int{MaxDepth + 1, 100_000} {
		_, err := c.Encode(t.Context(), reflect.ValueOf(depthOf(n)))
		if err == nil || !strings.Contains(err.Error(), "In.Next") || !strings.Contains(err.Error(), "10,000 deep") || len(err.Error()) > 400 {
			t.Errorf("depth %d: %v", n, err)
		}
	}
	var into *list
	if err := c.Decode(t.Context(), []byte(strings.Repeat("\xa1\x64Next", MaxDepth+1)+"\xf6"), reflect.ValueOf(&into)); err == nil || into != nil {
		t.Errorf("decoding what is too deep: %v", err)
	}
}

func TestCyclesAreNamed(t *testing.T) {
	l := &list{}
	l.Next = &list{l}
	kids := make([]tree, 1)
	kids[0].Kids = kids
	to := map[string]graph{}
	to["x"] = graph{to}
	self := make(bare, 1)
	self[0] = self
	m := nests{}
	m["m"] = m
	types := new(Types)
	if err := types.Register("loop", reflect.TypeFor[*looping]()); err != nil {
		t.Fatal(err)
	}
	through := &looping{}
	through.Again = through
	for _, test := range []struct {
		v    any
		path string
	}{
		{l, "In.Next.Next"}, {tree{kids}, "In.Kids[0].Kids[0]"}, {graph{to}, `In.To["x"].To["x"]`},
		{self, "In[0][0]"}, {m, `In["m"]["m"]`}, {through, "In.Again(loop).Again(loop)"},
	} {
		_, err := codecFor(t, reflect.TypeOf(test.v), Input, types).Encode(t.Context(), reflect.ValueOf(test.v))
		if err == nil || !strings.HasPrefix(err.Error(), test.path) || !strings.Contains(err.Error(), "contains itself") {
			t.Errorf("%T: %v", test.v, err)
		}
	}
}

type looping struct{ Again again }
type again interface{ again() }

func (*looping) again() {}

// One value in many places is no cycle, however deep it is.
func TestSharedValuesAreNoCycles(t *testing.T) {
	leaf := &twin{Name: "leaf"}
	var top *twin
	for range 3 * watchedDepth {
		top = &twin{Left: leaf, Right: top}
	}
	returned(t, Output, nil, top)
	empty := []tree{}
	deep := tree{[]tree{{empty}, {empty}}}
	for range 2 * watchedDepth {
		deep = tree{[]tree{deep}}
	}
	returned(t, Output, nil, deep)
}

func TestManyElementsComeBack(t *testing.T) {
	const many = 131_072 + 1 // the library's default limit, and one
	numbers := make([]int32, many)
	keys := make(map[int32]bool, many)
	for i := range numbers {
		numbers[i] = int32(i)
		keys[int32(i)] = true
	}
	back(t, numbers)
	back(t, keys)
	back(t, strings.Repeat("\xff", many))
	deep := generic[[][][][]int]{} // and its default depth is 32
	back(t, []generic[[][][][]int]{deep})
	var nested generic[generic[generic[generic[generic[generic[generic[generic[generic[[][][][][][][][][][][][][][][][][][][][][][][][][][]int]]]]]]]]]
	back(t, nested)
}

func TestSizeIsLimitedOnBothSides(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[[]string](), Output, nil)
	c.maxSize = 10
	fits, big := []string{"12345678"}, []string{"123456789"}
	data, err := c.Encode(t.Context(), reflect.ValueOf(fits))
	if err != nil || len(data) != c.maxSize {
		t.Fatalf("%x, %v", data, err)
	}
	if _, err := c.Encode(t.Context(), reflect.ValueOf(big)); err == nil || !strings.Contains(err.Error(), "mops.File") {
		t.Errorf("too large: %v", err)
	}
	var into []string
	if err := c.Decode(t.Context(), append([]byte{0x81, 0x69}, big[0]...), reflect.ValueOf(&into)); err == nil || into != nil {
		t.Errorf("decoding what is too large: %v", err)
	}
	walked := codecFor(t, reflect.TypeFor[*twin](), Output, nil)
	walked.maxSize = 1000
	huge := &twin{Name: strings.Repeat("x", 1001)}
	if _, err := walked.Encode(t.Context(), reflect.ValueOf(huge)); err == nil || !strings.HasPrefix(err.Error(), "Out") || !strings.Contains(err.Error(), "limit") {
		t.Errorf("too large: %v", err)
	}
}

// Bytes that a type writes for itself must be readable again.
func TestForeignBytesAreProven(t *testing.T) {
	for _, v := range []any{brokenCBOR("\x81"), brokenCBOR("\x9f\xff"), brokenCBOR(strings.Repeat("\x81", MaxDepth+1) + "\x01"), unreadable{}} {
		_, err := codecFor(t, reflect.TypeOf(v), Output, nil).Encode(t.Context(), reflect.ValueOf(v))
		if valueErr, ok := errors.AsType[*ValueError](err); !ok || valueErr.Path != "Out" {
			t.Errorf("%T: %v", v, err)
		}
	}
	type pair struct{ K map[clash]int }
	if _, err := codecFor(t, reflect.TypeFor[pair](), Input, nil).Encode(t.Context(), reflect.ValueOf(pair{map[clash]int{1: 1, 2: 2}})); err == nil || !strings.HasPrefix(err.Error(), "In.K") {
		t.Errorf("two keys with one encoding: %v", err)
	}
	null := brokenCBOR("\xf6")
	if _, err := codecFor(t, reflect.TypeFor[*brokenCBOR](), Output, nil).Encode(t.Context(), reflect.ValueOf(&null)); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("null under a pointer: %v", err)
	}
}

type brokenCBOR string

func (b brokenCBOR) MarshalCBOR() ([]byte, error)     { return []byte(b), nil }
func (b *brokenCBOR) UnmarshalCBOR(data []byte) error { *b = brokenCBOR(data); return nil }

type unreadable struct{}

func (unreadable) MarshalBinary() ([]byte, error) { return []byte("x"), nil }
func (*unreadable) UnmarshalBinary([]byte) error  { return errors.New("cannot read") }

type clash int

func (clash) MarshalText() ([]byte, error)     { return []byte("same"), nil }
func (*clash) UnmarshalText(data []byte) error { return nil }
