package lineage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// pathOf is the memo path of a call of a function of this name.
func pathOf(function string) string {
	return memokey.Path("p", function, "0", memokey.Parts{Name: function, Input: []byte(function)}.Key())
}

func functionOf(name string) string {
	call, err := memokey.Parse(name)
	if err != nil {
		return name
	}
	return call.Name
}

// put writes the records of a call as a worker would.
func put(t testing.TB, store *blob.Store, function, caller string, made, from []string, change func(*record.Run)) {
	t.Helper()
	call, err := memokey.Parse(pathOf(function))
	if err != nil {
		t.Fatal(err)
	}
	head := record.Head{MemoKey: call.Key.String(), RunID: "run-of-" + function}
	run := record.Run{Outcome: "ok", Caller: caller, ProgramRun: "program", Made: made}
	if change != nil {
		change(&run)
	}
	invocation := record.InvocationHeader{Head: head, Caller: caller, ProgramRun: run.ProgramRun}
	for i, f := range from {
		invocation.Sources = append(invocation.Sources, record.SourceLocation{Hash: fmt.Sprint(i), Size: 12, From: f})
	}
	for kind, header := range map[record.Kind]any{record.KindResult: record.RunHeader{Head: head, Run: run}, record.KindInvocation: invocation} {
		sealed, err := record.Seal(kind, header, []byte{0})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.PutBytes(t.Context(), call.Path()+"/"+string(kind), sealed, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func said(edges []Edge, end func(Edge) string) (all []string) {
	for _, e := range edges {
		all = append(all, string(e.How)+" "+functionOf(end(e)))
	}
	return all
}

func fromOf(e Edge) string { return e.From }
func of(e Edge) string     { return e.Of }

func TestEdges(t *testing.T) {
	store := blob.New("mem://root", memblob.New())
	p := pathOf
	put(t, store, "all", "", []string{p("one"), p("two")}, nil, nil)
	put(t, store, "one", p("all"), nil, []string{"", "s3://other/" + p("far")}, nil)
	put(t, store, "two", p("all"), nil, []string{p("one"), p("one")}, nil)
	put(t, store, "hit", "", []string{"mem://root/" + p("one")}, nil, nil) // its name is the same however it is written

	put(t, store, "dead", "", nil, nil, func(r *record.Run) { r.Outcome = "func_error" })
	for _, kind := range []string{"/result", "/invocation"} { // it was killed: who was called by it says so
		if err := store.Delete(t.Context(), p("dead")+kind); err != nil {
			t.Fatal(err)
		}
	}
	put(t, store, "left", p("dead"), nil, nil, nil)

	put(t, store, "again", "", []string{p("one")}, nil, nil) // it was computed again, and does not call other any more
	put(t, store, "other", p("again"), nil, nil, nil)
	put(t, store, "many", "", []string{p("one")}, nil, func(r *record.Run) { r.MoreMade = 1 })
	put(t, store, "more", p("many"), nil, nil, nil)

	put(t, store, "x", p("y"), []string{p("y")}, nil, nil) // a circle, as after a refresh
	put(t, store, "y", p("x"), []string{p("x")}, nil, nil)
	put(t, store, "old", "", nil, nil, func(r *record.Run) { r.ProgramRun = "" })

	var looked atomic.Int64
	g, err := Whole(t.Context(), store, nil, &looked)
	if err != nil {
		t.Fatal(err)
	}
	if looked.Load() != 12 {
		t.Errorf("%d calls were looked at", looked.Load())
	}
	for function, want := range map[string][2]string{
		"all":   {"called one, called two", ""},
		"one":   {"read far", "called again, called all, called hit, called many, read two"},
		"two":   {"read one, read one", "called all"},
		"dead":  {"called left", ""},
		"left":  {"", "called dead"},
		"again": {"called one", ""},
		"other": {"", ""},
		"many":  {"called one, called more", ""},
		"x":     {"called y", "called y"},
	} {
		if got := strings.Join(said(g.From(p(function)), fromOf), ", "); got != want[0] {
			t.Errorf("%s was made from %q, want %q", function, got, want[0])
		}
		if function == "one" {
			want[1] += ", read two" // two sources of it
		}
		if got := strings.Join(said(g.Into(p(function)), of), ", "); got != want[1] {
			t.Errorf("of %s was made %q, want %q", function, got, want[1])
		}
	}
	for function, want := range map[string]string{"all": "", "dead": gone, "old": silent, "none": gone} {
		if got := g.Call(p(function)).Unknown; got != want {
			t.Errorf("%s: %q, want %q", function, got, want)
		}
	}
	if far := g.Call("s3://other/" + p("far")); far.Unknown != "it is in another root" || far.Home.Name != "far" {
		t.Errorf("%+v", far)
	}

	// Without a look at the whole root, the same of what it was made from.
	looked.Store(0)
	for _, function := range []string{"all", "x"} {
		back, err := Back(t.Context(), store, nil, p(function), &looked)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := said(back.From(p(function)), fromOf), said(g.From(p(function)), fromOf); !slices.Equal(got, want) {
			t.Errorf("%s was made from %q, want %q", function, got, want)
		}
	}
	if looked.Load() != 3+2 {
		t.Errorf("%d calls were read", looked.Load())
	}
}

// Whatever is wrong with a record is said of its call, and the rest is found.
func TestBadRecords(t *testing.T) {
	p := pathOf
	for name, test := range map[string]struct {
		record string
		change func(string) string
		want   string
	}{
		"truncated":     {"/result", func(s string) string { return s[:100] }, "its result is damaged"},
		"empty":         {"/result", func(string) string { return "" }, "its result is damaged"},
		"of others":     {"/result", func(s string) string { return strings.Replace(s, "mops1", "mops2", 1) }, "its result is not ours to read: perhaps a newer mops wrote it"},
		"no invocation": {"/invocation", nil, "from what its input was read: there is no invocation"},
		"bad invocation": {"/invocation", func(s string) string { return s[:50] },
			"from what its input was read: its invocation is damaged"},
		"header of another shape": {"/result", func(s string) string { return strings.Replace(s, `"made":[`, `"made":{"a":[`, 1) }, "its result is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			store := blob.New("mem://root", memblob.New())
			put(t, store, "all", "", []string{p("one")}, nil, nil)
			put(t, store, "one", p("all"), nil, nil, nil)
			key := p("all") + test.record
			if test.change == nil {
				if err := store.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			} else {
				data, _, err := store.ReadAll(t.Context(), key, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := store.PutBytes(t.Context(), key, []byte(test.change(string(data))), blob.PutOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			g, err := Whole(t.Context(), store, nil, new(atomic.Int64))
			if err != nil {
				t.Fatal(err)
			}
			if got := g.Call(p("all")).Unknown; got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if got := said(g.From(p("all")), fromOf); !slices.Equal(got, []string{"called one"}) { // one says so, too
				t.Errorf("it was made from %q", got)
			}
			back, err := Back(t.Context(), store, nil, p("all"), new(atomic.Int64))
			if err != nil || back.Call(p("all")).Unknown != test.want {
				t.Errorf("%+v, %v", back, err)
			}
		})
	}
}

// A store that is away is a failure, and so is the end of the context: half of a
// graph would look like all of it.
func TestAStoreThatIsAway(t *testing.T) {
	bare := blob.New("mem://root", memblob.New())
	for i := range 100 {
		put(t, bare, fmt.Sprint("f", i), "", nil, nil, nil)
	}
	var reads atomic.Int64
	store := blobtest.Faulty(bare, blobtest.FaultPlan{Before: func(op blobtest.Op, _ string) error {
		if op == blobtest.OpGet && reads.Add(1) > 50 {
			return &driver.Error{Kind: driver.Unavailable, Err: errors.New("away")}
		}
		return nil
	}})
	if _, err := Whole(t.Context(), store, nil, new(atomic.Int64)); !blob.Is(err, blob.Unavailable) {
		t.Error(err)
	}
	if _, err := Back(t.Context(), store, nil, pathOf("f1"), new(atomic.Int64)); !blob.Is(err, blob.Unavailable) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Whole(ended, bare, nil, new(atomic.Int64)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What a call was made from is followed into other roots, and back; one that cannot be
// opened or read is said to be so, and one with parameters is not opened.
func TestOtherRoots(t *testing.T) {
	p := pathOf
	here := blob.New("mem://here", memblob.New())
	there := blob.New("mem://there", memblob.New())
	put(t, here, "all", "", []string{"mem://there/" + p("far"), "mem://nowhere/" + p("lost"), "s3://box/" + p("asked") + "?endpoint=http://evil"}, []string{"mem://broken/" + p("bad")}, nil)
	put(t, here, "base", "", nil, nil, nil)
	put(t, there, "far", "mem://here/"+p("all"), []string{p("farther"), p("missing")}, nil, nil)
	put(t, there, "farther", p("far"), nil, []string{"mem://here/" + p("base"), "mem://there/" + p("far")}, nil)
	var opened sync.Map
	open := func(_ context.Context, root string) (*blob.Store, error) {
		if _, again := opened.LoadOrStore(root, true); again {
			t.Errorf("%s is opened twice", root)
		}
		switch root {
		case "mem://there":
			return there, nil
		case "mem://broken":
			return blobtest.Faulty(blob.New(root, memblob.New()), blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
				return &driver.Error{Kind: driver.Unavailable, Err: errors.New("away")}
			}}), nil
		}
		return nil, errors.New("there is no such root")
	}
	for name, read := range map[string]func() (*Graph, error){
		"back":  func() (*Graph, error) { return Back(t.Context(), here, open, p("all"), new(atomic.Int64)) },
		"whole": func() (*Graph, error) { return Whole(t.Context(), here, open, new(atomic.Int64)) },
	} {
		opened.Clear()
		g, err := read()
		if err != nil {
			t.Fatal(name, err)
		}
		if from := said(g.From("mem://there/"+p("far")), fromOf); !slices.Equal(from, []string{"called farther", "called missing"}) {
			t.Errorf("%s: far is made from %v", name, from)
		}
		if from := said(g.From("mem://there/"+p("farther")), fromOf); !slices.Equal(from, []string{"read base", "read far"}) {
			t.Errorf("%s: farther is made from %v", name, from)
		}
		for call, why := range map[string]string{
			"mem://there/" + p("far"): "", "mem://there/" + p("farther"): "", p("base"): "",
			"mem://there/" + p("missing"):                      gone,
			"mem://nowhere/" + p("lost"):                       "it is in another root, which cannot be opened: there is no such root",
			"mem://broken/" + p("bad"):                         "it is in another root, which cannot be read: ",
			"s3://box/" + p("asked") + "?endpoint=http://evil": "it is in another root, which opens with parameters: ask for it by its own address",
		} {
			if c := g.Call(call); c.Unknown != why && (!strings.HasSuffix(why, ": ") || !strings.HasPrefix(c.Unknown, why)) {
				t.Errorf("%s: %s: %q", name, call, c.Unknown)
			}
		}
	}
}

func TestNamesHaveNoSecrets(t *testing.T) {
	g := newGraph(blob.New("mem://root", memblob.New()), nil)
	for name, want := range map[string]string{
		pathOf("f"):                    "mem://root/" + pathOf("f"),
		"s3://box/" + pathOf("f"):      "s3://box/" + pathOf("f"),
		"s3://id:key@box/a?sig=secret": "s3://box/a",
		"s3://box?sig=secret":          "s3://box",
		"s3://a@b@box/x@y":             "s3://box/x@y",
	} {
		if got := g.URI(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if at := PlaceOf(record.SourceLocation{Location: name}); at != "" && at != want {
			t.Errorf("%s: %s, want %s", name, at, want)
		}
	}
}

// The time is of one call among 4,000 in a root on this machine.
func BenchmarkWhole(b *testing.B) {
	store, err := blob.Open(b.Context(), "file://"+b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	const calls = 4000
	for i := range calls {
		put(b, store, fmt.Sprint("f", i), pathOf("f0"), []string{pathOf(fmt.Sprint("f", i/2))}, nil, nil)
	}
	for b.Loop() {
		if _, err := Whole(b.Context(), store, nil, new(atomic.Int64)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*calls), "ns/call")
}
