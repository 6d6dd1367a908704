package mops_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Omitzero fields, and all below them, are not in the memo key, so two programs
// whose types differ there find each other's results. The kind of fault: a hit
// that has a zero which nobody computed; a hit that can never be decoded. Each
// pair of types is tried in both orders, for the older program may read results
// of the newer one, too.

type (
	mean       struct{ Mean float64 }
	meanMedian struct{ Mean, Median float64 }
	meanLater  struct {
		Mean   float64
		Median float64 `cbor:",omitzero"`
	}
	chainOf1 struct {
		V    int
		Next *chainOf1
	}
	chainOf2 struct {
		V    int
		W    int `cbor:",omitzero"`
		Next *chainOf2
	}

	outPlain struct{ Name string }
	outMean  struct {
		Name  string
		Stats mean `cbor:",omitzero"`
	}
	outMedian struct {
		Name  string
		Stats meanMedian `cbor:",omitzero"`
	}
	outLater struct {
		Name  string
		Stats meanLater `cbor:",omitzero"`
	}
	outText struct {
		Name  string
		Stats string `cbor:",omitzero"`
	}
	outTwo struct {
		Name  string
		Stats mean `cbor:",omitzero"`
		Extra int  `cbor:",omitzero"`
	}
	outRows1 struct {
		Rows []mean `cbor:",omitzero"`
	}
	outRows2 struct {
		Rows []meanMedian `cbor:",omitzero"`
	}
	outMap1 struct {
		By map[string]*mean `cbor:",omitzero"`
	}
	outMap2 struct {
		By map[string]*meanMedian `cbor:",omitzero"`
	}
	outNotOmitted1 struct{ Stats mean }
	outNotOmitted2 struct{ Stats meanLater }
	outSays1       struct {
		Says says `cbor:",omitzero"`
	}
	outShared1 struct{ Table mops.Shared[outPlain] }
	outShared2 struct{ Table mops.Shared[outMean] }

	inPlain struct{ N int }
	inMean  struct {
		N     int
		Stats mean `cbor:",omitzero"`
	}
	inMedian struct {
		N     int
		Stats meanMedian `cbor:",omitzero"`
	}
	inLater struct {
		N     int
		Stats meanLater `cbor:",omitzero"`
	}
	inText struct {
		N     int
		Stats string `cbor:",omitzero"`
	}
	inShared1 struct{ Table mops.Shared[outPlain] }
	inShared2 struct{ Table mops.Shared[outMean] }
)

// says is an interface that results hold.
type says interface{ Say() string }

type (
	hello   struct{ To string }
	goodbye struct{ To string }
)

func (h hello) Say() string   { return "hello " + h.To }
func (g goodbye) Say() string { return "goodbye " + g.To }

// version is a program with one version of a function.
type version struct {
	name string
	call func(ctx context.Context, options ...mops.Option) visitOf
	put  func(ctx context.Context, options ...mops.Option) error // Inject
	out  any
}

// visitOf is the outcome of a call.
type visitOf struct {
	out  any
	info mops.Info
	err  error
	runs int
}

var errFails = errors.New("fails")

// versionOf is a program whose function returns out for in. Register adds types.
func versionOf[In, Out any](in In, out Out, register ...func(mops.RegistryOption)) version {
	reg := private()
	for _, r := range register {
		r(reg)
	}
	runs := 0
	f := mops.Define("test/evolves", func(ctx context.Context, got In) (Out, error) {
		runs++
		if fmt.Sprint(got) != fmt.Sprint(in) {
			return out, fmt.Errorf("the input is %v instead of %v", got, in)
		}
		if os.Getenv(failVariable) != "" {
			return out, errFails
		}
		return out, nil
	}, reg)
	return version{
		name: fmt.Sprintf("%T to %T", in, out),
		call: func(ctx context.Context, options ...mops.Option) (v visitOf) {
			runs = 0
			v.out, v.info, v.err = doAny(f.With(options...), ctx, in)
			v.runs = runs
			return v
		},
		put: func(ctx context.Context, options ...mops.Option) error {
			return f.With(options...).Inject(ctx, in, out)
		},
		out: out,
	}
}

const failVariable = "TEST_SCHEMA_FAILS"

func doAny[In, Out any](f *mops.Func[In, Out], ctx context.Context, in In) (any, mops.Info, error) {
	out, info, err := f.Do(ctx, in)
	return out, info, err
}

func out[Out any](of Out, register ...func(mops.RegistryOption)) version {
	return versionOf(5, of, register...)
}

func in[In any](of In) version { return versionOf(of, "out") }

// pairs of programs, and what each of them finds after the other has been
// there.
var schemaPairs = []struct {
	name          string
	older, newer  version
	newerReads    mops.Outcome // results of the older
	olderReads    mops.Outcome // results of the newer
	newerSays     string       // why it is not a hit
	olderSays     string
	otherEncoding bool // the input is not the same: two keys
}{
	{name: "out: field added", older: out(outPlain{"n"}), newer: out(outMean{"n", mean{2}}),
		newerReads: mops.Computed, newerSays: "without Out.Stats", olderReads: mops.Hit},
	{name: "out: field added, zero", older: out(outPlain{"n"}), newer: out(outMean{Name: "n"}),
		newerReads: mops.Computed, newerSays: "without Out.Stats", olderReads: mops.Hit},
	{name: "out: second field added", older: out(outMean{"n", mean{2}}), newer: out(outTwo{"n", mean{2}, 7}),
		newerReads: mops.Computed, newerSays: "without Out.Extra", olderReads: mops.Hit},
	{name: "out: retyped", older: out(outMean{"n", mean{2}}), newer: out(outText{"n", "2"}),
		newerReads: mops.Computed, newerSays: "another Out.Stats (struct there, string here)",
		olderReads: mops.Computed, olderSays: "another Out.Stats (string there, struct here)"},
	{name: "out: retyped, both zero", older: out(outMean{Name: "n"}), newer: out(outText{Name: "n"}),
		newerReads: mops.Computed, newerSays: "Out.Stats", olderReads: mops.Computed, olderSays: "Out.Stats"},
	{name: "out: added below", older: out(outMean{"n", mean{2}}), newer: out(outMedian{"n", meanMedian{2, 1}}),
		newerReads: mops.Computed, newerSays: "without Out.Stats.Median", olderReads: mops.Hit},
	{name: "out: omitzero added below", older: out(outMean{"n", mean{2}}), newer: out(outLater{"n", meanLater{2, 1}}),
		newerReads: mops.Computed, newerSays: "without Out.Stats.Median", olderReads: mops.Hit},
	{name: "out: becomes omitzero below", older: out(outMedian{"n", meanMedian{2, 0}}), newer: out(outLater{"n", meanLater{2, 0}}),
		newerReads: mops.Hit, olderReads: mops.Hit},
	{name: "out: added in a struct that is not omitted", older: out(outNotOmitted1{mean{2}}), newer: out(outNotOmitted2{meanLater{2, 1}}),
		newerReads: mops.Computed, newerSays: "without Out.Stats.Median", olderReads: mops.Hit},
	{name: "out: added in a list", older: out(outRows1{[]mean{{1}, {2}}}), newer: out(outRows2{[]meanMedian{{1, 3}, {2, 4}}}),
		newerReads: mops.Computed, newerSays: "without Out.Rows[].Median", olderReads: mops.Hit},
	{name: "out: added in a map", older: out(outMap1{map[string]*mean{"a": {1}}}), newer: out(outMap2{map[string]*meanMedian{"a": {1, 2}}}),
		newerReads: mops.Computed, newerSays: "without Out.By[].Median", olderReads: mops.Hit},
	{name: "out: added in a type that contains itself", older: out(chainOf1{1, &chainOf1{2, nil}}), newer: out(chainOf2{1, 3, &chainOf2{2, 4, nil}}),
		newerReads: mops.Computed, newerSays: "without Out.W", olderReads: mops.Hit},
	{name: "out: type of an interface added", older: out(outSays1{hello{"you"}}, registers[hello]()), newer: out(outSays1{hello{"you"}}, registers[hello](), registers[goodbye]()),
		newerReads: mops.Hit, olderReads: mops.Computed, olderSays: "with Out.Says(github.com/TrilliantHealth/mops-go_test.goodbye)"},
	{name: "out: added in a shared value", older: out(outShared1{mops.Share(outPlain{"n"})}), newer: out(outShared2{mops.Share(outMean{"n", mean{2}})}),
		newerReads: mops.Computed, newerSays: "without Out.Table.Stats", olderReads: mops.Computed, olderSays: "with Out.Table.Stats"},

	{name: "in: field added", older: in(inPlain{1}), newer: in(inMean{N: 1}), newerReads: mops.Hit, olderReads: mops.Hit},
	{name: "in: field added and set", older: in(inPlain{1}), newer: in(inMean{1, mean{2}}), newerReads: mops.Computed, olderReads: mops.Computed, otherEncoding: true},
	{name: "in: retyped", older: in(inMean{N: 1}), newer: in(inText{N: 1}),
		newerReads: mops.Computed, newerSays: "another In.Stats (struct there, string here)", olderReads: mops.Computed, olderSays: "In.Stats"},
	{name: "in: added below", older: in(inMean{N: 1}), newer: in(inMedian{N: 1}), newerReads: mops.Hit, olderReads: mops.Hit},
	{name: "in: omitzero added below", older: in(inMean{1, mean{2}}), newer: in(inLater{1, meanLater{Mean: 2}}), newerReads: mops.Hit, olderReads: mops.Hit},
	{name: "in: retyped below", older: in(inLater{N: 1}), newer: in(struct {
		N     int
		Stats struct {
			Median string
		} `cbor:",omitzero"`
	}{N: 1}), newerReads: mops.Computed, newerSays: "In.Stats.Median", olderReads: mops.Computed, olderSays: "In.Stats.Median"},
	{name: "in: added in a shared value", older: in(inShared1{mops.Share(outPlain{"n"})}), newer: in(inShared2{mops.Share(outMean{Name: "n"})}),
		newerReads: mops.Hit, olderReads: mops.Hit},
}

// registers registers a type.
func registers[T any]() func(mops.RegistryOption) {
	return func(in mops.RegistryOption) { mops.RegisterType[T](in) }
}

// TestSchemas is the table of docs/memoization.md.
func TestSchemas(t *testing.T) {
	for _, pair := range schemaPairs {
		for _, order := range []struct {
			name           string
			writer, reader version
			want           mops.Outcome
			says           string
		}{
			{"newer reads older", pair.older, pair.newer, pair.newerReads, pair.newerSays},
			{"older reads newer", pair.newer, pair.older, pair.olderReads, pair.olderSays},
		} {
			t.Run(pair.name+"/"+order.name, func(t *testing.T) {
				ctx, _ := onDisk(t)
				written := order.writer.call(ctx)
				if written.err != nil || written.info.Outcome != mops.Computed {
					t.Fatalf("the first program: %+v", written)
				}
				before := files(t, written.info.URI)
				if order.want == mops.Computed && !pair.otherEncoding {
					none := order.reader.call(ctx, mops.RequireResults())
					if !errors.Is(none.err, mops.ErrNoResult) || none.runs != 0 {
						t.Errorf("with RequireResults: %+v", none)
					}
					mentions(t, none.err, "a result is there, of a type ", order.says)
					for range 2 {
						if kept := order.reader.call(ctx, mops.ReadOnly()); kept.runs != 1 || kept.err != nil {
							t.Errorf("with ReadOnly: %+v", kept)
						}
					}
				}
				for i, want := range []mops.Outcome{order.want, mops.Hit, mops.Hit} {
					read := order.reader.call(ctx)
					if read.err != nil || read.info.Outcome != want || read.runs != map[mops.Outcome]int{mops.Computed: 1}[want] {
						t.Fatalf("call %d of the other program: %+v, want a %s", i, read, want)
					}
					if text(read.out) != text(order.reader.out) {
						t.Errorf("call %d of the other program returned %+v instead of %+v", i, read.out, order.reader.out)
					}
					if (read.info.URI == written.info.URI) != (order.want == mops.Hit) {
						t.Errorf("call %d of the other program says its result is at %s", i, read.info.URI)
					}
				}
				if again := order.writer.call(ctx); again.info.URI != written.info.URI || again.info.Outcome != mops.Hit || again.info.Run != written.info.Run || text(again.out) != text(order.writer.out) {
					t.Errorf("the first program, again: %+v", again)
				}
				if after := files(t, written.info.URI); !reflect.DeepEqual(before, after) {
					t.Errorf("what the first program wrote was changed: %v, before %v", after, before)
				}
			})
		}
	}
}

// text is a value without the addresses in it.
func text(v any) string {
	switch v := v.(type) {
	case outShared1:
		return fmt.Sprint(v.Table.Get(context.Background()))
	case outShared2:
		return fmt.Sprint(v.Table.Get(context.Background()))
	}
	return fmt.Sprintf("%+v", dereferenced(reflect.ValueOf(v)))
}

func dereferenced(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return dereferenced(v.Elem())
		}
	case reflect.Struct:
		var all []any
		for i := range v.NumField() {
			all = append(all, dereferenced(v.Field(i)))
		}
		return all
	case reflect.Map:
		all := map[string]any{}
		for k, e := range v.Seq2() {
			all[k.String()] = dereferenced(e)
		}
		return all
	}
	return v.Interface()
}

// files is what lies in the folder of a call.
func files(t *testing.T, uri string) map[string]string {
	t.Helper()
	dir := strings.TrimPrefix(uri, "file://")
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// However a call is made, it leaves the results of another program's types
// alone.
func TestSchemasHoweverACallIsMade(t *testing.T) {
	older, newer := out(outMean{"n", mean{2}}), out(outMedian{"n", meanMedian{2, 1}})
	for name, do := range map[string]func(t *testing.T, ctx context.Context){
		"Refresh": func(t *testing.T, ctx context.Context) {
			if v := newer.call(ctx, mops.Refresh()); v.info.Outcome != mops.Computed || v.err != nil {
				t.Errorf("%+v", v)
			}
			first := newer.call(ctx)
			_, fresh := newEnv(t, mops.Root(rootOf(first.info.URI)), mops.CacheDir(t.TempDir()))
			if v := newer.call(fresh, mops.Refresh()); v.info.Outcome != mops.Computed || v.info.Run == first.info.Run || v.info.URI != first.info.URI {
				t.Errorf("%+v after %+v", v, first)
			}
			if v := newer.call(fresh, mops.Refresh()); v.info.Outcome != mops.Hit { // once in a run of the program
				t.Errorf("%+v", v)
			}
		},
		"Inject": func(t *testing.T, ctx context.Context) {
			if err := newer.put(ctx); err != nil {
				t.Error(err)
			}
			if err := newer.put(ctx); !blob.Is(err, blob.Exists) {
				t.Errorf("injected twice: %v", err)
			}
			if err := newer.put(ctx, mops.Refresh()); err != nil {
				t.Error(err)
			}
			if v := newer.call(ctx); v.info.Outcome != mops.Hit {
				t.Errorf("%+v", v)
			}
		},
		"KeepErrors": func(t *testing.T, ctx context.Context) {
			t.Setenv(failVariable, "1")
			for i := range 2 {
				v := newer.call(ctx, mops.KeepErrors())
				mentions(t, v.err, "fails")
				if failed, ok := errors.AsType[*mops.FuncError](v.err); v.runs != 1-i || !ok || failed.URI != v.info.URI {
					t.Errorf("%d runs, %+v", v.runs, v)
				}
			}
		},
		"Timeout": func(t *testing.T, ctx context.Context) {
			if v := newer.call(ctx, mops.Timeout(1<<40)); v.info.Outcome != mops.Computed || v.err != nil {
				t.Errorf("%+v", v)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := onDisk(t)
			written := older.call(ctx)
			before := files(t, written.info.URI)
			do(t, ctx)
			if after := files(t, written.info.URI); !reflect.DeepEqual(before, after) {
				t.Errorf("what the older program wrote was changed: %v, before %v", after, before)
			}
		})
	}
}

func rootOf(uri string) string { root, _, _ := strings.Cut(uri, "/mops1/"); return root }

// A kept error counts for programs whose input has the same types; the types of
// the output do not matter.
func TestSchemasOfKeptErrors(t *testing.T) {
	t.Setenv(failVariable, "1")
	for name, c := range map[string]struct {
		first, second version
		runs          int
	}{
		"output added":    {out(outPlain{"n"}), out(outMean{"n", mean{2}}), 0},
		"input added":     {in(inPlain{1}), in(inMean{N: 1}), 0},
		"input retyped":   {in(inMean{N: 1}), in(inText{N: 1}), 1},
		"retyped, before": {in(inText{N: 1}), in(inMean{N: 1}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := onDisk(t)
			first := c.first.call(ctx, mops.KeepErrors())
			mentions(t, first.err, "fails")
			for _, runs := range []int{c.runs, 0} {
				v := c.second.call(ctx, mops.KeepErrors())
				mentions(t, v.err, "fails")
				failed, _ := errors.AsType[*mops.FuncError](v.err)
				if v.runs != runs || failed == nil || (failed.URI == first.info.URI) != (c.runs == 0) {
					t.Errorf("%d runs, %+v", v.runs, v)
				}
			}
			if again := c.first.call(ctx, mops.KeepErrors()); again.runs != 0 {
				t.Errorf("the first program ran again: %+v", again)
			}
		})
	}
}

// An old home may have results of another program, under the usual key, and of
// this program's types, under the exact key.
func TestSchemasAtAnOldHome(t *testing.T) {
	ctx, root := onDisk(t)
	old := func(m float64) {
		f := mops.Define("test/was", func(context.Context, int) (outMean, error) { return outMean{"n", mean{m}}, nil }, private())
		must(f.Call(ctx, 5))
	}
	type richer = outMedian
	fail := errors.New("computed anew")
	moved := func() *mops.Func[int, richer] {
		return mops.Define("test/is", func(context.Context, int) (richer, error) { return richer{}, fail },
			private(), mops.ReadFrom(root+"/mops1/default/test/was@0"))
	}
	old(2)
	if _, _, err := moved().Do(ctx, 5); err == nil {
		t.Error("a result of other types was found at an old home")
	}
	want := richer{"n", meanMedian{2, 1}}
	before := mops.Define("test/was", func(context.Context, int) (richer, error) { return want, nil }, private())
	_, at, err := before.Do(ctx, 5)
	if err != nil {
		t.Fatal(err)
	}
	if got, info, err := moved().Do(ctx, 5); got != want || info.Outcome != mops.Hit || info.URI != at.URI || err != nil {
		t.Errorf("%+v, %+v, %v; it is at %s", got, info, err, at.URI)
	}
}

// Exact keys are in memo URIs: a change of the key would lose the results
// there.
func TestExactKeysStay(t *testing.T) {
	ctx, _ := onDisk(t)
	out(outPlain{"n"}).call(ctx)
	const want = "zinc-solid-spiral.feb3dd2d179384ebbcffa717d7e185412bd76f5e12e2fc503e7b4bc635d39283"
	if v := out(outTwo{"n", mean{2}, 7}).call(ctx); v.err != nil || !strings.HasSuffix(v.info.URI, "/mops1/default/test/evolves@0/"+want) {
		t.Errorf("%+v, want %s", v, want)
	}
}

// Records of the first release do not describe the parts that fingerprints
// leave out. They are found as they were then, unless they cannot be decoded.
func TestSchemasAreNotInRecordsOfTheFirstRelease(t *testing.T) {
	for name, c := range map[string]struct {
		first, second version
		want          mops.Outcome
		as            any
	}{
		"field added":   {out(outPlain{"n"}), out(outMean{"n", mean{2}}), mops.Hit, outMean{Name: "n"}},
		"field removed": {out(outMean{"n", mean{2}}), out(outPlain{"n"}), mops.Hit, outPlain{"n"}},
		"added below":   {out(outMean{"n", mean{2}}), out(outMedian{"n", meanMedian{2, 1}}), mops.Hit, outMedian{"n", meanMedian{Mean: 2}}},
		"removed below": {out(outTwo{"n", mean{2}, 7}), out(outMean{"n", mean{2}}), mops.Hit, outMean{"n", mean{2}}},
		"retyped":       {out(outMean{"n", mean{2}}), out(outText{"n", "2"}), mops.Computed, outText{"n", "2"}},
		"retyped, zero": {out(outMean{Name: "n"}), out(outText{Name: "n"}), mops.Hit, outText{Name: "n"}},
		"input retyped": {in(inMean{N: 1}), in(inText{N: 1}), mops.Hit, "out"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := onDisk(t)
			asOfTheFirstRelease(t, c.first.call(ctx).info.URI)
			for _, want := range []mops.Outcome{c.want, mops.Hit} {
				if v := c.second.call(ctx); v.err != nil || v.info.Outcome != want || text(v.out) != text(c.as) {
					t.Errorf("%+v, want a %s with %+v", v, want, c.as)
				}
			}
			if v := c.first.call(ctx); v.info.Outcome != mops.Hit {
				t.Errorf("the first program, again: %+v", v)
			}
		})
	}
}

// asOfTheFirstRelease writes a result as the first release would have written
// it.
func asOfTheFirstRelease(t *testing.T, uri string) {
	t.Helper()
	path := filepath.Join(strings.TrimPrefix(uri, "file://"), "result")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found, err := record.Open(record.KindResult, data)
	if err != nil {
		t.Fatal(err)
	}
	var header record.ResultHeader
	if err := found.Into(&header); err != nil || header.Schema == nil {
		t.Fatalf("%s, %v", found.Header, err)
	}
	header.Schema = nil
	sealed, err := record.Seal(record.KindResult, header, found.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, sealed, 0o644); err != nil {
		t.Fatal(err)
	}
}
