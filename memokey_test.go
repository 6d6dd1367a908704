package mops_test

import (
	"context"
	"errors"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// uriOf makes a call and returns its URI.
func uriOf[In, Out any](t *testing.T, ctx context.Context, f *mops.Func[In, Out], in In) string {
	t.Helper()
	_, info, err := f.Do(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return info.URI
}

func TestANewPipelineOrVersionStartsOver(t *testing.T) {
	ctx := mopstest.Context(t)
	f, runs := counted(t)
	newer, newerRuns := counted(t, mops.Version("2"))
	must(f.Call(ctx, 1))
	must(f.With(mops.Pipeline("again")).Call(ctx, 1))
	if runs.Load() != 2 {
		t.Errorf("%d runs in two pipelines", runs.Load())
	}
	must(newer.Call(ctx, 1))
	if newerRuns.Load() != 1 {
		t.Errorf("the new version ran %d times", newerRuns.Load())
	}
}

// family is a chain of functions a -> b -> c, and c -> a in a cycle.
func family(t *testing.T, versionOfC string, cyclic bool) (a, b, c *mops.Func[int, int]) {
	t.Helper()
	in := private()
	a = mops.Declare[int, int]("a", in)
	c = mops.Declare[int, int]("c", in, mops.Version(versionOfC))
	b = mops.Define("b", double, in, mops.Calls(c))
	a.Implement(double, mops.Calls(b))
	if cyclic {
		c.Implement(double, mops.Calls(a, c))
	} else {
		c.Implement(double)
	}
	return a, b, c
}

func TestTheVersionOfACalledFunctionCountsAllTheWayUp(t *testing.T) {
	ctx := mopstest.Context(t)
	for _, cyclic := range []bool{false, true} {
		a1, b1, c1 := family(t, "1", cyclic)
		a2, b2, c2 := family(t, "2", cyclic)
		for name, pair := range map[string][2]*mops.Func[int, int]{"a": {a1, a2}, "b": {b1, b2}, "c": {c1, c2}} {
			if uriOf(t, ctx, pair[0], 1) == uriOf(t, ctx, pair[1], 1) {
				t.Errorf("cycle %v: the version of c makes no difference to %s", cyclic, name)
			}
		}
		again, _, _ := family(t, "1", cyclic)
		if uriOf(t, ctx, a1, 1) != uriOf(t, ctx, again, 1) {
			t.Errorf("cycle %v: equal families have different keys", cyclic)
		}
	}
	plain, _, _ := family(t, "1", false)
	alone := mops.Define("a", double, private())
	if uriOf(t, ctx, plain, 1) == uriOf(t, ctx, alone, 1) {
		t.Error("Calls makes no difference")
	}
}

type narrow struct {
	Rows int
	Name string
}

type widened struct {
	Rows  int
	Name  string
	Limit int `json:"limit" cbor:",omitzero"`
}

type renamed struct {
	Rows  int
	Label string
}

type regular struct {
	Rows  int
	Name  string
	Limit int
}

func TestAddingAnOmitzeroFieldKeepsResults(t *testing.T) {
	ctx := mopstest.Context(t)
	old := mops.Define("f", func(_ context.Context, in narrow) (int, error) { return in.Rows, nil }, private())
	wide := mops.Define("f", func(context.Context, widened) (int, error) { return 0, errors.New("it ran") }, private())
	must(old.Call(ctx, narrow{3, "x"}))
	if out, err := wide.Call(ctx, widened{Rows: 3, Name: "x"}); err != nil || out != 3 {
		t.Errorf("%d, %v", out, err)
	}
	if _, err := wide.Call(ctx, widened{Rows: 3, Name: "x", Limit: 1}); err == nil {
		t.Error("a value of the new field makes no difference")
	}
}

func TestAnyOtherChangeOfATypeStartsOver(t *testing.T) {
	ctx := mopstest.Context(t)
	old := uriOf(t, ctx, mops.Define("f", func(_ context.Context, in narrow) (int, error) { return 0, nil }, private()), narrow{1, "x"})
	for name, uri := range map[string]string{
		"a renamed field":    uriOf(t, ctx, mops.Define("f", func(_ context.Context, in renamed) (int, error) { return 0, nil }, private()), renamed{1, "x"}),
		"a new field":        uriOf(t, ctx, mops.Define("f", func(_ context.Context, in regular) (int, error) { return 0, nil }, private()), regular{1, "x", 0}),
		"another output":     uriOf(t, ctx, mops.Define("f", func(_ context.Context, in narrow) (string, error) { return "", nil }, private()), narrow{1, "x"}),
		"a pointer to it":    uriOf(t, ctx, mops.Define("f", func(_ context.Context, in *narrow) (int64, error) { return 0, nil }, private()), &narrow{1, "x"}),
		"another input's":    uriOf(t, ctx, mops.Define("f", func(_ context.Context, in narrow) (int, error) { return 0, nil }, private()), narrow{1, "y"}),
		"another function's": uriOf(t, ctx, mops.Define("g", func(_ context.Context, in narrow) (int, error) { return 0, nil }, private()), narrow{1, "x"}),
	} {
		if uri == old {
			t.Errorf("%s has the old key", name)
		}
	}
}

// database stands for a value that cannot be encoded: a handle.
type database struct{ queries chan string }

type query struct {
	Table   string
	DB      *database    `mops:"-"`
	Log     func(string) `mops:"-"`
	Verbose bool         `mops:"-"`
}

func TestAFieldOutOfTheKeyIsHandedOver(t *testing.T) {
	ctx := mopstest.Context(t)
	db := &database{queries: make(chan string, 10)}
	var said []string
	f := mops.Define("count", func(_ context.Context, in query) (int, error) {
		in.DB.queries <- in.Table
		in.Log("counted")
		if in.Verbose {
			return 1, nil
		}
		return 0, nil
	}, private())
	log := func(s string) { said = append(said, s) }
	out, first, err := f.Do(ctx, query{"rows", db, log, true})
	if err != nil || out != 1 || len(db.queries) != 1 || len(said) != 1 {
		t.Fatalf("%d, %v, %d queries, said %v", out, err, len(db.queries), said)
	}
	// Neither the handle nor the flag is part of the key, and a hit needs none.
	out, second, err := f.Do(ctx, query{Table: "rows"})
	if err != nil || out != 1 || second.Outcome != mops.Hit || second.URI != first.URI {
		t.Errorf("%d, %+v, %v", out, second, err)
	}
	for name, option := range map[string]mops.Option{"off": mops.Off(), "read-only": mops.ReadOnly()} {
		if _, err := f.With(option).Call(ctx, query{"other", db, log, false}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
