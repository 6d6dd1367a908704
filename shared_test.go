package mops_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// ledger counts how often ledgers are encoded and decoded in this process.
type ledger struct{ entries []int64 }

var ledgersEncoded, ledgersDecoded atomic.Int64

func (l ledger) MarshalCBOR() ([]byte, error) {
	ledgersEncoded.Add(1)
	return cbor.Marshal(l.entries)
}

func (l *ledger) UnmarshalCBOR(data []byte) error {
	ledgersDecoded.Add(1)
	return cbor.Unmarshal(data, &l.entries)
}

// entry asks for one entry of a ledger.
type entry struct {
	Ledger mops.Shared[ledger]
	At     int
}

var lookUp = mops.Define("test/look-up", func(ctx context.Context, in entry) (int64, error) {
	l, err := in.Ledger.Get(ctx)
	if err != nil {
		return 0, err
	}
	return l.entries[in.At], nil
})

func entriesOf(l mops.Shared[ledger], n int) []entry {
	ins := make([]entry, n)
	for i := range ins {
		ins[i] = entry{l, i}
	}
	return ins
}

func TestASharedValueTakesEachWayOnce(t *testing.T) {
	var mu sync.Mutex
	made := map[string]int{}
	root := stageRoot(t, func(op blobtest.Op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(key, "mops1-blobs/") {
			made[string(op)]++
		}
		return nil
	})
	const calls = 300
	numbers := make([]int64, calls)
	for i := range numbers {
		numbers[i] = int64(i * i)
	}
	for _, step := range []struct {
		name                           string
		again                          bool
		encoded, put, decoded, fetched int64
	}{
		{"cold", false, 1, 1, 1, 1},
		{"hits", true, 1, 0, 0, 0}, // encoded to find its hash; nothing more
	} {
		_, ctx := newEnv(t, root, mops.KeepRun(false), mops.CacheDir(t.TempDir()))
		encoded, decoded := ledgersEncoded.Load(), ledgersDecoded.Load()
		mu.Lock()
		clear(made)
		mu.Unlock()
		outs, err := lookUp.All(ctx, entriesOf(mops.Share(ledger{numbers}), calls))
		if err != nil || !slices.Equal(outs, numbers) {
			t.Fatalf("%s: %v", step.name, err)
		}
		if n := ledgersEncoded.Load() - encoded; n != step.encoded {
			t.Errorf("%s: encoded %d times", step.name, n)
		}
		if n := ledgersDecoded.Load() - decoded; n != step.decoded {
			t.Errorf("%s: decoded %d times", step.name, n)
		}
		mu.Lock()
		if made["put"] != int(step.put) || made["get"] != int(step.fetched) || step.again && len(made) > 0 {
			t.Errorf("%s: operations %v", step.name, made)
		}
		mu.Unlock()
	}
}

// crowd says how often a ledger was decoded in its process for 64 goroutines.
var crowd = mops.Define("test/crowd", func(ctx context.Context, l mops.Shared[ledger]) (int64, error) {
	before := ledgersDecoded.Load()
	failures := make([]error, 64)
	var readers sync.WaitGroup
	for i := range failures {
		readers.Go(func() {
			got, err := l.Get(ctx)
			if err == nil && len(got.entries) != 3 {
				err = fmt.Errorf("it has %d entries", len(got.entries))
			}
			failures[i] = err
		})
	}
	readers.Wait()
	return ledgersDecoded.Load() - before, errors.Join(failures...)
})

func TestASharedValueIsDecodedOnceHoweverManyReadIt(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		if n, err := crowd.Call(ctx, mops.Share(ledger{[]int64{1, 2, 3}})); err != nil || n != 1 {
			t.Errorf("decoded %d times, %v", n, err)
		}
	})
}

// atlas has shared values wherever they may stand.
type atlas struct {
	One    mops.Shared[[]string]
	Some   []mops.Shared[[]string]
	Named  map[string]mops.Shared[[]string]
	Nested struct {
		Inner *pair[float64, mops.Shared[[]string]]
	}
	Maybe *mops.Shared[map[string]int] `cbor:",omitempty"`
	None  mops.Shared[[]string]
}

func (a atlas) all() []mops.Shared[[]string] {
	all := append([]mops.Shared[[]string]{a.One}, a.Some...)
	for _, name := range slices.Sorted(maps.Keys(a.Named)) {
		all = append(all, a.Named[name])
	}
	return append(all, a.Nested.Inner.Second)
}

func newAtlas(lists ...[]string) (a atlas) {
	var all []mops.Shared[[]string]
	for _, list := range lists {
		all = append(all, mops.Share(list))
	}
	a.One, a.Some = all[0], all[1:3]
	a.Named = map[string]mops.Shared[[]string]{"a": all[3], "b": all[4]}
	a.Nested.Inner = &pair[float64, mops.Shared[[]string]]{0.5, all[5]}
	return a
}

// doubled returns an atlas with each list twice, and with one that it was given.
var doubled = mops.Define("test/doubled", func(ctx context.Context, in atlas) (out atlas, err error) {
	if !in.None.IsZero() {
		return out, errors.New("nothing came as something")
	}
	var lists [][]string
	for _, s := range in.all() {
		list, err := s.Get(ctx)
		if err != nil {
			return out, err
		}
		lists = append(lists, slices.Concat(list, list))
	}
	out = newAtlas(lists...)
	out.One, out.Maybe = in.One, in.Maybe
	return out, nil
})

func TestSharedValuesInAndOutWhereverTheyStand(t *testing.T) {
	check := func(t *testing.T, ctx context.Context, outcomes ...mops.Outcome) {
		t.Helper()
		in := newAtlas([]string{"a"}, []string{"b"}, []string{"b"}, nil, []string{"d", "e"}, []string{"f"})
		counts := mops.Share(map[string]int{"x": 1})
		in.Maybe = &counts
		for _, outcome := range outcomes {
			out, info, err := doubled.Do(ctx, in)
			if err != nil || info.Outcome != outcome {
				t.Fatalf("%+v, %v", info, err)
			}
			// The result of a call is an argument of the next.
			out, info, err = doubled.Do(ctx, out)
			if err != nil || info.Outcome != outcome {
				t.Fatalf("%+v, %v", info, err)
			}
			var got []string
			for _, s := range out.all() {
				list, err := s.Get(ctx)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.Join(list, ""))
			}
			if want := []string{"a", "bbbb", "bbbb", "", "dededede", "ffff"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			if m, err := out.Maybe.Get(ctx); err != nil || m["x"] != 1 {
				t.Errorf("%v, %v", m, err)
			}
		}
	}
	everywhere(t, func(t *testing.T, ctx context.Context, root string) {
		check(t, ctx, mops.Computed, mops.Hit)
		if _, blobs := blobsOf(t, root); len(blobs) != 12 { // a; b, bb, bbbb; none; de, dede, dededede; f, ff, ffff; the counts
			t.Errorf("12 values are kept as %d", len(blobs))
		}
	})
	for name, option := range map[string]mops.Option{"off": mops.Off(), "read-only": mops.ReadOnly()} {
		t.Run(name, func(t *testing.T) {
			ctx, root := onDisk(t, option)
			check(t, ctx, mops.Computed)
			if files := listing(t, root); len(files) != 0 {
				t.Errorf("the store has %q", files)
			}
		})
	}
	t.Run("in memory without a cache", func(t *testing.T) {
		_, ctx := newEnv(t, memoryRoot(t), mops.Isolated())
		check(t, ctx, mops.Computed, mops.Hit)
	})
}

func TestTheOneWhoSharesGetsHisOwn(t *testing.T) {
	s := mops.Share([]int{1, 2})
	if v, err := s.Get(context.Background()); err != nil || len(v) != 2 || s.IsZero() {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := s.MarshalCBOR(); err == nil || !strings.Contains(s.String(), "shared []int") {
		t.Errorf("%v, %v", s, err)
	}
}

func TestAZeroSharedHoldsNothing(t *testing.T) {
	var none mops.Shared[[]int]
	if !none.IsZero() || none.String() == "" {
		t.Error(none)
	}
	_, err := none.Get(t.Context())
	mentions(t, err, "zero mops.Shared[[]int]", "Share")
	isZero := mops.Define("f", func(ctx context.Context, s mops.Shared[[]int]) (bool, error) { return s.IsZero(), nil }, private())
	if zero, err := isZero.Call(mopstest.Context(t), none); err != nil || !zero {
		t.Errorf("%v, %v", zero, err)
	}
}

// A hash over all that identifies a value, so that it stays the same.
func TestTheKeyOfASharedValue(t *testing.T) {
	type measure struct{ Value float64 }
	type renamed struct{ Value float64 }
	type changed struct{ Value float32 }
	ctx := mopstest.Context(t)
	const want = "mops1/default/f@0/gold-indigo-kestrel.56da06fa7bd06f87248c4945c881654301ca9685c8c279197cb2ab1e543f1e85"
	shared := uriWith(t, ctx, []measure{{1}, {0}})
	if _, path, _ := strings.Cut(shared, "/mops1/"); "mops1/"+path != want {
		t.Errorf("mops1/%s, want %s", path, want)
	}
	if uriWith(t, ctx, []renamed{{1}, {0}}) != shared {
		t.Error("the name of a type counts")
	}
	if uriWith(t, ctx, []changed{{1}, {0}}) == shared || uriWith(t, ctx, []measure{{1}, {2}}) == shared {
		t.Error("its structure or its content does not count")
	}
	if uriWith(t, ctx, []int(nil)) != uriWith(t, ctx, []int{}) {
		t.Error("nil and empty are two values")
	}
	plain := mops.Define("f", func(context.Context, []measure) (int, error) { return 0, nil }, private())
	if uriOf(t, ctx, plain, []measure{{1}, {0}}) == shared {
		t.Error("a value that is not shared is the same")
	}
}

func uriWith[T any](t *testing.T, ctx context.Context, value T) string {
	t.Helper()
	f := mops.Define("f", func(context.Context, mops.Shared[T]) (int, error) { return 0, nil }, private())
	return uriOf(t, ctx, f, mops.Share(value))
}

func TestWhatCannotBeSharedIsRefused(t *testing.T) {
	type plot struct {
		Points []struct{ Hook func() }
	}
	type album struct{ Photos []mops.Source }
	type chained struct{ Next mops.Shared[int] }
	message := panics(t, func() {
		mops.Define("f", func(context.Context, struct{ Plots []mops.Shared[plot] }) (int, error) { return 0, nil }, private())
	})
	for _, text := range []string{"function f", "In.Plots[].Points[].Hook (func())", "take it out of the shared value", "shared_test.go"} {
		if !strings.Contains(message, text) {
			t.Errorf("the message does not say %q: %s", text, message)
		}
	}
	for path, define := range map[string]func(){
		"In.Photos[]": func() {
			mops.Define("f", func(context.Context, mops.Shared[album]) (int, error) { return 0, nil }, private())
		},
		"Out.Next": func() {
			mops.Define("f", func(context.Context, int) (mops.Shared[chained], error) { return mops.Share(chained{}), nil }, private())
		},
	} {
		if message := panics(t, define); !strings.Contains(message, path) || !strings.Contains(message, "beside the shared value") {
			t.Errorf("%s: %s", path, message)
		}
	}
}

func TestWhatIsWrongWithASharedValueIsSaidAtTheCall(t *testing.T) {
	registry := private()
	mops.RegisterType[rectangle](registry)
	type drawing struct{ Shapes []shape }
	type drawings struct {
		Named map[string]mops.Shared[drawing]
	}
	f := mops.Define("f", func(ctx context.Context, in drawings) (mops.Shared[drawing], error) {
		d, err := in.Named["a"].Get(ctx)
		if err != nil || len(d.Shapes) == 1 {
			return in.Named["a"], err
		}
		d.Shapes = append(slices.Clone(d.Shapes), &circle{})
		return mops.Share(d), err
	}, registry)
	ctx := mopstest.Context(t)
	call := func(shapes ...shape) (mops.Shared[drawing], error) {
		return f.Call(ctx, drawings{map[string]mops.Shared[drawing]{"a": mops.Share(drawing{shapes})}})
	}
	out, err := call(rectangle{2})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := out.Get(ctx); err != nil || d.Shapes[0].Area() != 4 {
		t.Errorf("%v, %v", d, err)
	}
	_, err = call(rectangle{1}, &circle{})
	mentions(t, err, "f: its input cannot be encoded", `In.Named["a"].Shapes[1]`, "RegisterType")
	_, err = call(rectangle{1}, rectangle{2})
	mentions(t, err, "f failed", "the result cannot be encoded", "Out.Shapes[2]", "RegisterType")
}

// blobsOf are the keys under which a root keeps content.
func blobsOf(t *testing.T, root string) (store *blob.Store, keys []string) {
	t.Helper()
	store = must(blob.Open(t.Context(), root))
	t.Cleanup(func() { store.Close() })
	for info, err := range store.List(t.Context(), "mops1-blobs/sha256/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return store, keys
}

func TestASharedValueThatWasDamagedOrIsGone(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, root string) {
		in := newAtlas([]string{"x"}, nil, nil, nil, nil, nil)
		produce := func(ctx context.Context) mops.Shared[[]string] {
			out, err := doubled.Call(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			return out.One
		}
		for _, harm := range []struct {
			kind blob.Kind
			says string
			do   func(store *blob.Store, key string) error
		}{
			{blob.Corrupt, "SHA-256", func(store *blob.Store, key string) error {
				_, err := store.PutBytes(t.Context(), key, []byte("damaged"), blob.PutOptions{})
				return err
			}},
			{blob.NotFound, "gone", func(store *blob.Store, key string) error { return store.Delete(t.Context(), key) }},
		} {
			produce(ctx)
			store, keys := blobsOf(t, root)
			for _, key := range keys {
				if err := harm.do(store, key); err != nil {
					t.Fatal(err)
				}
			}
			_, fresh := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
			shared := produce(fresh) // a hit
			_, err := shared.Get(fresh)
			if !blob.Is(err, harm.kind) {
				t.Errorf("%v is no %v", err, harm.kind)
			}
			mentions(t, err, root+"/mops1-blobs/sha256/", "mops.Refresh", harm.says)
			shared = produce(mops.WithOptions(fresh, mops.Refresh()))
			if list, err := shared.Get(fresh); err != nil || !slices.Equal(list, []string{"x"}) {
				t.Errorf("after Refresh: %q, %v", list, err)
			}
		}
	})
}
