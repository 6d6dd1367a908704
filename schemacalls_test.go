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
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// However a call is made, what another program's types have left is left alone.
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

// A kept error counts for those whose input has the same types; what its function
// would have returned does not matter.
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

// An old home may have what another program wrote, under the usual key, and what
// this one's types need, under the exact key.
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

// Calls that were started, that share a flight, that are nested.
func TestSchemasOfStartedAndNestedCalls(t *testing.T) {
	ctx, _ := onDisk(t)
	must(mops.Define("test/waits", func(context.Context, int) (outMean, error) { return outMean{"n", mean{2}}, nil }, private()).Call(ctx, 1))
	release := make(chan struct{})
	runs := 0
	var f *mops.Func[int, outMedian]
	f = mops.Declare[int, outMedian]("test/waits", private())
	f.Implement(func(ctx context.Context, n int) (outMedian, error) {
		runs++
		if n == 2 {
			return f.Call(ctx, 1)
		}
		<-release
		return outMedian{"n", meanMedian{2, 1}}, nil
	})
	one, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	left, cancel := context.WithCancel(ctx)
	three, err := f.Start(left, 1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := three.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who left has %v", err)
	}
	close(release)
	for _, c := range []*mops.Call[outMedian]{one, two} {
		if got, err := c.Wait(ctx); got.Stats.Median != 1 || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if one.Info().Outcome != mops.Computed || two.Info().Outcome != mops.Awaited || one.Info().URI != two.Info().URI || one.URI() == one.Info().URI {
		t.Errorf("%+v and %+v", one.Info(), two.Info())
	}
	if got, info, err := f.Do(ctx, 2); got.Stats.Median != 1 || info.Outcome != mops.Computed || err != nil || runs != 2 {
		t.Errorf("%+v, %+v, %v after %d runs", got, info, err, runs)
	}
}

// A call under the exact key that makes itself again waits for itself like any other.
func TestSchemasAndCycles(t *testing.T) {
	for name, nested := range map[string]func(context.Context, *mops.Func[int, outMedian]) (outMedian, error){
		"Call": func(ctx context.Context, f *mops.Func[int, outMedian]) (outMedian, error) { return f.Call(ctx, 1) },
		"KeepErrors": func(ctx context.Context, f *mops.Func[int, outMedian]) (outMedian, error) {
			return f.With(mops.KeepErrors()).Call(ctx, 1)
		},
		"Start": func(ctx context.Context, f *mops.Func[int, outMedian]) (outMedian, error) {
			c, err := f.Start(ctx, 1)
			if err != nil {
				return outMedian{}, err
			}
			return c.Wait(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := onDisk(t)
			must(mops.Define("test/cycle", func(context.Context, int) (outMean, error) { return outMean{"n", mean{2}}, nil }, private()).Call(ctx, 1))
			var f *mops.Func[int, outMedian]
			f = mops.Declare[int, outMedian]("test/cycle", private())
			var inside error
			f.Implement(func(ctx context.Context, n int) (out outMedian, err error) {
				out, inside = nested(ctx, f)
				return out, inside
			})
			for _, call := range []func() error{
				func() error { _, err := f.Call(ctx, 1); return err },
				func() error {
					c, err := f.Start(ctx, 1)
					if err == nil {
						_, err = c.Wait(ctx)
					}
					return err
				},
			} {
				if err := call(); err == nil || !errors.Is(inside, mops.ErrCycle) {
					t.Errorf("%v; inside, %v", err, inside)
				}
			}
		})
	}
}

func init() {
	for name, define := range map[string]func(){
		"schema older": func() { defineMain(outMean{"n", mean{2}}) },
		"schema newer": func() { defineMain(outMedian{"n", meanMedian{2, 1}}) },
	} {
		programs[name] = define
	}
}

// defineMain is a program that makes its one call in a worker.
func defineMain[Out any](out Out) {
	f := mops.Define("test/evolves", func(context.Context, int) (Out, error) { return out, nil })
	mops.Main(func(ctx context.Context) error {
		out, info, err := f.Do(ctx, 1)
		fmt.Printf("%+v %s\n", out, info.Outcome)
		return err
	}, mops.On(subprocess.New()))
}

// Whole programs beside each other, whose calls run in workers.
func TestSchemasInWorkers(t *testing.T) {
	for name, steps := range map[string][][2]string{
		"older first": {{"schema older", "{Name:n Stats:{Mean:2}} computed"}, {"schema newer", "{Name:n Stats:{Mean:2 Median:1}} computed"},
			{"schema older", "{Name:n Stats:{Mean:2}} hit"}, {"schema newer", "{Name:n Stats:{Mean:2 Median:1}} hit"}},
		"newer first": {{"schema newer", "{Name:n Stats:{Mean:2 Median:1}} computed"}, {"schema older", "{Name:n Stats:{Mean:2}} hit"},
			{"schema newer", "{Name:n Stats:{Mean:2 Median:1}} hit"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := "MOPS_ROOT=file://" + t.TempDir()
			for _, step := range steps {
				cmd := program(t, step[0])
				cmd.Env = append(cmd.Env, root)
				if stdout, stderr, code := run(t, cmd); code != 0 || strings.TrimSpace(stdout) != step[1] {
					t.Errorf("%s: %d, %q instead of %q\n%s", step[0], code, stdout, step[1], stderr)
				}
			}
		})
	}
}

// belowOmitzero is what workers know under this name; the caller of the test below
// is a program with one field more.
var belowOmitzero = mops.Define("test/below-omitzero", func(context.Context, int) (outMean, error) { return outMean{"n", mean{2}}, nil })

// A worker whose types differ from its caller's would leave what the caller cannot use.
func TestSchemasOfAWorkerThatIsAnotherBuild(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	newer := mops.Define("test/below-omitzero", func(context.Context, int) (outMedian, error) { return outMedian{}, nil }, private())
	_, err := newer.Call(ctx, 1)
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "VersionSkew" {
		t.Errorf("%T: %v", err, err)
	}
	mentions(t, err, "omitzero", "test/below-omitzero", "build both from the same source")
	if out, err := belowOmitzero.Call(ctx, 1); err != nil || out.Stats.Mean != 2 {
		t.Errorf("%+v, %v", out, err)
	}
}

// Exact keys are in memo URIs: another one loses what lies there.
func TestExactKeysStay(t *testing.T) {
	ctx, _ := onDisk(t)
	out(outPlain{"n"}).call(ctx)
	const want = "zinc-solid-spiral.feb3dd2d179384ebbcffa717d7e185412bd76f5e12e2fc503e7b4bc635d39283"
	if v := out(outTwo{"n", mean{2}, 7}).call(ctx); v.err != nil || !strings.HasSuffix(v.info.URI, "/mops1/default/test/evolves@0/"+want) {
		t.Errorf("%+v, want %s", v, want)
	}
}

// In records of the first release nothing is said of what fingerprints leave out.
// They are found as they were then, but for those that cannot be decoded.
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

// asOfTheFirstRelease writes a result as that would have written it.
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
