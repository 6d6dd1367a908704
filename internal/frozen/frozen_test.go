// Package frozen_test holds the store format mops1 to its promise: the stores that
// earlier releases wrote, testdata/root and testdata/root-0.2, are read by this one,
// all of them. None is ever written again. A release whose records have new fields
// leaves one more.
package frozen_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lineage"
)

// variable has the store of this release written, once, when it is a folder.
const variable = "MOPS_WRITE_FROZEN"

// stores are the calls of each store.
var stores = map[string]func(*testing.T, context.Context, mops.Outcome){
	"root":     calls,
	"root-0.2": laterCalls,
}

func environment(t *testing.T, root string, options ...mops.EnvOption) context.Context {
	t.Helper()
	options = append(options, mops.Isolated(), mops.Root("file://"+root), mops.Pipeline("kept"), mops.CacheDir(t.TempDir()),
		mops.LogTo(slog.New(slog.NewTextHandler(t.Output(), nil))))
	env, err := mops.New(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return env.Context(t.Context())
}

func TestAStoreOfAnEarlierReleaseIsRead(t *testing.T) {
	for name, calls := range stores {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			if err := os.CopyFS(root, os.DirFS(filepath.Join("testdata", name))); err != nil {
				t.Fatal(err)
			}
			isRead(t, root, calls)
		})
	}
}

func TestTheStoreOfThisReleaseIsRead(t *testing.T) {
	root := os.Getenv(variable)
	if root == "" {
		root = t.TempDir()
	}
	laterCalls(t, environment(t, root), mops.Computed)
	isRead(t, root, laterCalls)
}

func isRead(t *testing.T, root string, calls func(*testing.T, context.Context, mops.Outcome)) {
	for name, options := range map[string][]mops.EnvOption{
		"writable":   nil,
		"read-only":  {mops.ReadOnly(), mops.RequireResults()},
		"of no code": {mops.CodeCheck(mops.Refuse)}, // records of the first release do not say by which they were made
	} {
		t.Run(name, func(t *testing.T) {
			runs = 0
			calls(t, environment(t, root, options...), mops.Hit)
			if runs != 0 {
				t.Errorf("%d functions ran, though their results are kept", runs)
			}
			// Over the lease of a session that is dead, which takes its time to be seen, and
			// an error of an earlier run.
			if name == "writable" && !testing.Short() {
				if _, err := fails.Call(environment(t, root, options...), 3); runs != 1 {
					t.Errorf("%d runs, %v", runs, err)
				}
			}
		})
	}
}

// What calls of the second release were made from is read from its records, and that
// those of the first do not say it.
func TestLineageOfEarlierReleases(t *testing.T) {
	for name, want := range map[string][]string{
		"root":     nil,
		"root-0.2": {"called frozen/upper", "called frozen/upper", "read frozen/upper"},
	} {
		store, err := blob.Open(t.Context(), "file://"+must(filepath.Abs(filepath.Join("testdata", name))))
		if err != nil {
			t.Fatal(err)
		}
		g, err := lineage.Whole(t.Context(), store, nil, new(atomic.Int64))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for info, err := range store.List(t.Context(), "mops1/", "") {
			if err != nil {
				t.Fatal(err)
			}
			path, isResult := strings.CutSuffix(info.Key, "/result")
			if !isResult {
				continue
			}
			c := g.Call(path)
			if known := c.Unknown == "" && c.ProgramRun != ""; known != (want != nil) {
				t.Errorf("%s: %+v", path, c)
			}
			if c.Home.Name == "frozen/twice" {
				for _, e := range g.From(path) {
					got = append(got, string(e.How)+" "+g.Call(e.From).Home.Name)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// laterCalls are calls with what records of the first release did not say: a source
// that was read from a result, and who made a call.
func laterCalls(t *testing.T, ctx context.Context, want mops.Outcome) {
	t.Helper()
	calls(t, ctx, want)
	out, err := upper.Call(ctx, mops.File("testdata/words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out, info, err := twice.Do(ctx, out)
	if err != nil || info.Outcome != want {
		t.Fatal(info.Outcome, err)
	}
	if text := read(t, ctx, out); text != "SOME WORDS\n" {
		t.Errorf("the file says %q", text)
	}
}

// calls makes each kind of call and checks what comes back.
func calls(t *testing.T, ctx context.Context, want mops.Outcome) {
	t.Helper()
	check(t, ctx, echo, some(), some(), want)
	check(t, ctx, caller, some(), some().Text, want)
	check(t, ctx, weigh, mops.Share(map[string]float64{"a": 0.5, "b": 2}), 2.5, want)

	out, info, err := upper.Do(ctx, mops.File("testdata/words.txt"))
	if err != nil || info.Outcome != want {
		t.Fatal(info.Outcome, err)
	}
	if text := read(t, ctx, out); text != "SOME WORDS\n" {
		t.Errorf("the file says %q", text)
	}
	out, info, err = tree.Do(ctx, mops.Dir("testdata/folder"))
	if err != nil || info.Outcome != want {
		t.Fatal(info.Outcome, err)
	}
	path, err := out.Path(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(path, "sub", "b.txt")); err != nil || string(data) != "b\n" {
		t.Errorf("%q, %v", data, err)
	}

	_, err = fails.With(mops.KeepErrors()).Call(ctx, 3)
	if shortage, ok := errors.AsType[*Shortage](err); !ok || shortage.Missing != 3 {
		t.Errorf("%v, want a *Shortage", err)
	}
	_, err = panics.With(mops.KeepErrors()).Call(ctx, 4)
	if failed, ok := errors.AsType[*mops.FuncError](err); !ok || !failed.Panicked || failed.Message != "panic: panicked over 4" {
		t.Errorf("%v, want a panic", err)
	}
}

func check[In, Out any](t *testing.T, ctx context.Context, f *mops.Func[In, Out], in In, expected Out, want mops.Outcome) {
	t.Helper()
	out, info, err := f.Do(ctx, in)
	if err != nil || info.Outcome != want || !reflect.DeepEqual(out, expected) {
		t.Errorf("%s: %s %v: %+v, want %s %+v", info.URI, info.Outcome, err, out, want, expected)
	}
}

func read(t *testing.T, ctx context.Context, s mops.Source) string {
	t.Helper()
	file, err := s.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
