package codec

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type (
	fork  struct{ L, R *fork }
	rope  struct{ Of []rope }
	bush  struct{ In map[string]bush }
	twice struct{ A, B again }
	watch struct {
		Seen textValue
		L, R *watch
	}
)

func (*twice) again() {}

// A value that holds the same things in many places is exponentially larger when
// it is encoded, whatever shares them: pointers, slices, maps or interfaces, in
// types that contain themselves and in types that nest. It is refused before that
// is made; a context that ends is the failure here.
func TestSharedPartsThatBlowUpAreRefused(t *testing.T) {
	const levels = 60
	pointers, listed, mapped := &fork{}, rope{[]rope{{}, {}}}, bush{map[string]bush{"": {}}}
	var ifaces again = &twice{}
	seen := &watch{}
	for range levels {
		pointers = &fork{pointers, pointers}
		listed = rope{[]rope{listed, listed}}
		mapped = bush{map[string]bush{"l": mapped, "r": mapped}}
		ifaces = &twice{ifaces, ifaces}
		seen = &watch{L: seen, R: seen}
	}
	words := slices.Repeat([]string{"word"}, 2000)
	nested := slices.Repeat([][][]string{slices.Repeat([][]string{words}, 2000)}, 2000)
	text := strings.Repeat("x", 1<<20)
	texts := slices.Repeat([]string{text}, 2000)
	types := watching(t)
	if err := types.Register("twice", reflect.TypeFor[*twice]()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, v := range []any{pointers, listed, mapped, *ifaces.(*twice), seen, nested, texts} {
		for _, side := range []Side{Input, Output} {
			c := codecFor(t, reflect.TypeOf(v), side, types)
			want := "by index"
			if _, text := v.([]string); text {
				want = "mops.File"
			}
			_, err := c.Encode(ctx, reflect.ValueOf(v))
			if _, ok := errors.AsType[*ValueError](err); !ok || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 {
				t.Errorf("%T: %v", v, err)
			}
			if err := c.Visit(ctx, reflect.ValueOf(v), func(reflect.Value) error { return nil }); c.Visits() && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("visiting %T: %v", v, err)
			}
		}
	}
}

// A value that marshals itself has an unknown size: if it is shared, the
// encoder notices when it passes the limit, and not only at the end.
func TestSharedOpaquePartsAreLimited(t *testing.T) {
	c := codecFor(t, reflect.TypeFor[[][]*counted](), Output, nil)
	c.maxSize = 1 << 20
	calls := 0
	one := &counted{payload: make([]byte, 4<<10), calls: &calls}
	row := make([]*counted, 900)
	for i := range row {
		row[i] = one
	}
	rows := make([][]*counted, 900)
	for i := range rows {
		rows[i] = row
	}
	if _, err := c.Encode(t.Context(), reflect.ValueOf(rows)); err == nil || !strings.Contains(err.Error(), "Out[0][255]") {
		t.Errorf("%v", err)
	}
	if most := 2 * (c.maxSize/len(one.payload) + 1); calls > most {
		t.Errorf("%d values were encoded, and %d are enough", calls, most)
	}
}

// counted calls back when it is encoded and decoded.
type counted struct {
	payload []byte
	calls   *int
	after   func()
}

var whenDecoded func()

func (c *counted) MarshalBinary() ([]byte, error) {
	if *c.calls++; c.after != nil && *c.calls == 100 {
		c.after()
	}
	return c.payload, nil
}

func (c *counted) UnmarshalBinary([]byte) error {
	if whenDecoded != nil {
		whenDecoded()
	}
	return nil
}

// A context that ends ends encoding and decoding.
func TestEndedContextsEndTheWork(t *testing.T) {
	type holds struct{ L []counted }
	calls := 0
	ctx, cancel := context.WithCancel(t.Context())
	v := holds{make([]counted, 5000)}
	for i := range v.L {
		v.L[i] = counted{make([]byte, 1<<10), &calls, cancel}
	}
	c := codecFor(t, reflect.TypeFor[holds](), Input, nil)
	_, err := c.Encode(ctx, reflect.ValueOf(v))
	if e, ok := errors.AsType[*ValueError](err); !ok || !errors.Is(err, context.Canceled) || !strings.HasPrefix(e.Path, "In.L") {
		t.Errorf("encoding: %v", err)
	}
	if calls > 200 {
		t.Errorf("%d values were encoded after the context had ended", calls-100)
	}
	for i := range v.L {
		v.L[i].after = nil
	}
	data, err := c.Encode(t.Context(), reflect.ValueOf(v))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	calls = 0
	whenDecoded = func() {
		if calls++; calls == 100 {
			cancel()
		}
	}
	defer func() { whenDecoded = nil }()
	into := new(holds)
	if err := c.Decode(ctx, data, reflect.ValueOf(into)); !errors.Is(err, context.Canceled) || into.L != nil {
		t.Errorf("decoding: %v", err)
	}
	if calls > 200 {
		t.Errorf("%d values were decoded after the context had ended", calls-100)
	}
}

func TestLargeValuesComeBack(t *testing.T) {
	type record struct {
		Name string
		M    map[string][]int
		P    *inner
	}
	records := make([]record, 5_000)
	for i := range records {
		records[i] = record{strings.Repeat("n", i%900), map[string][]int{fmt.Sprint(i): {i}}, &inner{A: i}}
	}
	for _, side := range []Side{Input, Output} {
		c := codecFor(t, reflect.TypeOf(records), side, nil)
		data, err := c.Encode(t.Context(), reflect.ValueOf(records))
		if err != nil || len(data) < 1<<20 {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		if whole, err := encModes[side].Marshal(records); err != nil || string(whole) != string(data) {
			t.Errorf("the library writes other bytes, %v", err)
		}
		var got []record
		if err := c.Decode(t.Context(), data, reflect.ValueOf(&got)); err != nil || !reflect.DeepEqual(got, records) {
			t.Errorf("decoded: %v", err)
		}
	}
}
