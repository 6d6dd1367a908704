package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

type input struct {
	City string
	Rate float64
	Tags []string
}

// call is a call as a program would make it.
type call struct {
	pipeline, function, version string
	calls                       []string
	in                          any
}

func train(in input) call {
	return call{pipeline: "p", function: "forecast/train", version: "1", calls: []string{"clean@1"}, in: in}
}

func (c call) describe() record.Call {
	return record.Call{Function: c.function, Version: c.version, Pipeline: c.pipeline, Codec: record.Codec, Calls: c.calls, In: "in", Out: "out"}
}

func (c call) encoded(t *testing.T) []byte {
	t.Helper()
	data, err := cbor.Marshal(c.in)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (c call) place(t *testing.T, store *blob.Store) memo.Place {
	t.Helper()
	key := memokey.Parts{Name: c.function, Version: c.version, Calls: c.calls, In: "in", Out: "out", Input: c.encoded(t)}.Key()
	return memo.Place{Store: store, Path: memokey.Path(c.pipeline, c.function, c.version, key), Key: key}
}

func (c call) call(t *testing.T) Call {
	return New(t.Context(), record.Head{}, c.describe(), nil, c.encoded(t))
}

// store puts the invocation of a call, and with done its result.
func (c call) store(t *testing.T, store *blob.Store, done bool) memo.Place {
	t.Helper()
	p := c.place(t, store)
	head := record.Head{MemoKey: p.Key.String(), RunID: "2611231412-SkirtBus"}
	header := record.InvocationHeader{Head: head, Call: c.describe()}
	if err := p.PutInvocation(t.Context(), header, c.encoded(t), 0); err != nil {
		t.Fatal(err)
	}
	if done {
		c.finish(t, store)
	}
	return p
}

func (c call) finish(t *testing.T, store *blob.Store) {
	t.Helper()
	p := c.place(t, store)
	head := record.Head{MemoKey: p.Key.String(), RunID: "2611231412-SkirtBus"}
	sealed, err := record.Seal(record.KindResult, record.RunHeader{Head: head, Call: c.describe()}, []byte{1})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.PutResult(t.Context(), sealed, "", false); err != nil {
		t.Fatal(err)
	}
}

func newStore() *blob.Store { return blob.New("mem://explain", memblob.New()) }

func sentences(differences []Difference) (lines []string) {
	for _, d := range differences {
		lines = append(lines, d.String())
	}
	return lines
}

func TestCompare(t *testing.T) {
	base := train(input{"Oslo", 0.1, []string{"a"}})
	for name, c := range map[string]struct {
		change func(*call)
		want   []string
	}{
		"nothing":          {func(*call) {}, nil},
		"the pipeline":     {func(c *call) { c.pipeline = "q" }, nil},
		"a field":          {func(c *call) { c.in = input{"Oslo", 0.2, []string{"a"}} }, []string{"In.Rate: 0.1 here, 0.2 there"}},
		"version":          {func(c *call) { c.version = "2" }, []string{"the version: 1 here, 2 there"}},
		"name":             {func(c *call) { c.function = "f" }, []string{"the function: forecast/train here, f there"}},
		"callee":           {func(c *call) { c.calls = []string{"clean@2"} }, []string{"the version of clean, which it calls: 1 here, 2 there"}},
		"a callee more":    {func(c *call) { c.calls = []string{"clean@1", "x@1"} }, []string{"the version of x, which it calls: (absent) here, 1 there"}},
		"no callee":        {func(c *call) { c.calls = nil }, []string{"the version of clean, which it calls: 1 here, (absent) there"}},
		"another type":     {func(c *call) { c.in = map[string]int{"City": 1} }, []string{`In.City: "Oslo" here, 1 there`, "In.Rate: 0.1 here, (absent) there", `In.Tags: ["a"] here, (absent) there`}},
		"version and more": {func(c *call) { c.version = "2"; c.in = input{"Rome", 0.1, []string{"a"}} }, []string{"the version: 1 here, 2 there", `In.City: "Oslo" here, "Rome" there`}},
	} {
		other := base
		c.change(&other)
		if got := sentences(Compare(base.call(t), other.call(t))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	types := base.call(t)
	types.In = strings.Repeat("ab", 32)
	if got := sentences(Compare(base.call(t), types)); !slices.Equal(got, []string{"the type of the input: in here, abababababab there"}) {
		t.Errorf("types: %q", got)
	}
}

func TestRead(t *testing.T) {
	store := newStore()
	c := train(input{City: "Oslo"})
	if _, err := Read(t.Context(), c.place(t, store)); !blob.Is(err, blob.NotFound) {
		t.Errorf("nothing reads as %v", err)
	}
	c.finish(t, store)
	injected, err := Read(t.Context(), c.place(t, store))
	if err != nil || injected.HasInput || injected.Function != "forecast/train" {
		t.Errorf("a result alone reads as %+v, %v", injected, err)
	}
	whole, err := Read(t.Context(), c.store(t, store, false))
	if err != nil || len(Compare(whole, c.call(t))) > 0 {
		t.Errorf("read %+v, %v", whole, err)
	}
}

func TestFindOrdersByDifferencesThenAge(t *testing.T) {
	store := newStore()
	c := train(input{"Oslo", 0.1, nil})
	far := train(input{"Rome", 0.3, nil}).store(t, store, true)
	old := train(input{"Oslo", 0.2, nil}).store(t, store, false)
	recent := train(input{"Oslo", 0.3, nil}).store(t, store, true)
	other := train(input{"Oslo", 0.1, nil})
	other.version = "2"
	second := other.store(t, store, true)
	for _, elsewhere := range []call{
		{pipeline: "q", function: "forecast/train", version: "1", in: input{"Oslo", 0.1, nil}},
		{pipeline: "p", function: "forecast/train2", version: "1", in: input{"Oslo", 0.1, nil}},
	} {
		elsewhere.store(t, store, true)
	}
	c.store(t, store, false) // the call itself does not count
	found, err := Find(t.Context(), c.place(t, store), c.call(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, near := range found.Near {
		got = append(got, near.URI)
	}
	if want := []string{second.URI(), recent.URI(), old.URI(), far.URI()}; !slices.Equal(got, want) {
		t.Errorf("found\n%q, want\n%q", got, want)
	}
	if found.Calls != 4 || found.Looked != 4 || !found.Whole {
		t.Errorf("calls %d, looked %d, whole %v", found.Calls, found.Looked, found.Whole)
	}
	if !found.Near[1].HasResult || found.Near[2].HasResult {
		t.Error("which calls have results is wrong")
	}
	if len(found.Versions) != 2 || found.Versions[1] != (VersionCount{"1", 3, 2, found.Versions[1].Newest}) {
		t.Errorf("versions %+v", found.Versions)
	}
}

func TestFindReadsTheNewestOnly(t *testing.T) {
	store := newStore()
	var newest []string
	for i := range 30 {
		p := train(input{Rate: float64(i + 1)}).store(t, store, i%2 == 0)
		newest = append(newest, p.URI())
	}
	c := train(input{})
	found, err := Find(t.Context(), c.place(t, store), c.call(t), 5)
	if err != nil {
		t.Fatal(err)
	}
	if found.Calls != 30 || found.Looked != 5 || len(found.Near) != 5 {
		t.Errorf("calls %d, looked %d, near %d", found.Calls, found.Looked, len(found.Near))
	}
	for _, near := range found.Near {
		if !slices.Contains(newest[25:], near.URI) {
			t.Errorf("%s is not among the newest", near.URI)
		}
	}
}

func TestFindLeavesOutWhatCannotBeRead(t *testing.T) {
	store := newStore()
	p := train(input{Rate: 1}).store(t, store, true)
	if _, err := store.PutBytes(t.Context(), p.Path+"/invocation", []byte("torn"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	c := train(input{})
	found, err := Find(t.Context(), c.place(t, store), c.call(t), 0)
	if err != nil || found.Calls != 1 || found.Looked != 0 || len(found.Near) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which all of it is just now
		store := newStore()
		c := train(input{"Oslo", 0.1, nil})
		miss := func() string { return Miss(t.Context(), c.place(t, store), c.call(t)) }
		if got, want := miss(), `no other call of forecast/train was ever made in pipeline "p"`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		same := c
		same.pipeline = "q"
		same.store(t, store, true)
		if got, want := miss(), `no other call of forecast/train was ever made in pipeline "p"; this very call has a result in pipeline q`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		old := c
		old.version = "0"
		called := words.Of(old.store(t, store, true).Path)
		want := `no other call of version 1 was ever made in pipeline "p"; version 0 has 1 result; the nearest call ` + called +
			` (just now) differs in the version: 1 here, 0 there; this very call has a result in pipeline q`
		if got := miss(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(time.Millisecond) // so that the next is the newest
		near := words.Of(train(input{"Oslo", 0.2, nil}).store(t, store, false).Path)
		if got := miss(); !strings.HasPrefix(got, "the nearest call "+near+" (just now, without a result) differs in In.Rate: 0.1 here, 0.2 there") {
			t.Errorf("got %q", got)
		}
	})
}

// A search takes no longer than its context, and says what it did not do.
func TestMissIsBoundedInTime(t *testing.T) {
	store := newStore()
	c := train(input{})
	for i := range 20 {
		train(input{Rate: float64(i + 1)}).store(t, store, false)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	found, err := Find(ctx, c.place(t, store), c.call(t), 0)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if found.Whole {
		t.Error("everything was listed though there was no time")
	}
	if got := Miss(ctx, c.place(t, store), c.call(t)); strings.Contains(got, "ever made") {
		t.Errorf("it claims to know: %q", got)
	}
}

func TestFolders(t *testing.T) {
	store := newStore()
	for _, key := range []string{"a/x", "a/y/z", "a-b/x", "a.b/x", "b", "c/1", "c/2", "a0/x"} {
		if _, err := store.PutBytes(t.Context(), "top/"+key, nil, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for name, err := range Folders(t.Context(), store, "top/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	if want := "[a-b a.b a a0 c]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// Calls whose types differ in what the fingerprints leave out differ in nothing else.
func TestCompareNamesWhatFingerprintsLeaveOut(t *testing.T) {
	c := train(input{City: "Bern"})
	head := func(schema string) record.Head { return record.Head{Schema: []byte(schema)} }
	here := New(t.Context(), head(`{"out":[{"kind":"struct","parts":{"omitzero field Mean":1,"omitzero field Text":1}},{"kind":"float64"}]}`), c.describe(), nil, c.encoded(t))
	there := New(t.Context(), head(`{"out":[{"kind":"struct","parts":{"omitzero field Text":1}},{"kind":"string"}]}`), c.describe(), nil, c.encoded(t))
	var said []string
	for _, d := range Compare(here, there) {
		said = append(said, d.String())
	}
	want := []string{"the type of Out.Mean: float64 here, (absent) there", "the type of Out.Text: float64 here, string there"}
	if !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
	for _, none := range []string{"", "{}", "[]", "{"} {
		want := map[string]int{"{}": 2}[none] // the others say nothing, as in the first release
		if d := Compare(here, New(t.Context(), head(none), c.describe(), nil, c.encoded(t))); len(d) != want {
			t.Errorf("%q: %v, want %d differences", none, d, want)
		}
	}
}

// Calls whose types have other fingerprints name the fields, if both say what
// their types are.
func TestCompareNamesTheFieldWhoseTypeChanged(t *testing.T) {
	c := train(input{City: "Bern"})
	with := func(in, types string) Call {
		described := c.describe()
		described.In = in
		return New(t.Context(), record.Head{}, described, []byte(types), c.encoded(t))
	}
	one := with("1", `{"in":[{"kind":"struct","parts":{"field Rate":1}},{"kind":"float64"}],"out":[{"kind":"int"}]}`)
	two := with("2", `{"in":[{"kind":"struct","parts":{"field Rate":1}},{"kind":"int"}],"out":[{"kind":"int"}]}`)
	if got := sentences(Compare(one, two)); !slices.Equal(got, []string{"the type of In.Rate: float64 here, int there"}) {
		t.Errorf("got %q", got)
	}
	for _, unknown := range []Call{with("2", ""), with("2", "{"), with("2", "{}")} {
		if got := sentences(Compare(one, unknown)); !slices.Equal(got, []string{"the type of the input: 1 here, 2 there"}) {
			t.Errorf("got %q", got)
		}
	}
}
