package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

type diffIn struct {
	City string
	Area struct{ Day int }
}

// Two versions of one function, as two builds of a program have it.
var (
	diffed = mops.Define("diff/forecast", func(_ context.Context, in diffIn) (float64, error) { return float64(in.Area.Day), nil })
	newly  = mops.Define("diff/other", func(_ context.Context, in diffIn) (float64, error) { return 0, nil })
)

// runOf makes calls in a run that is kept.
func runOf(tb testing.TB, root string, make func(context.Context, *errgroup.Group)) {
	tb.Helper()
	env, err := mops.New(tb.Context(), mops.Isolated(), mops.Root(root), mops.CacheDir(tb.TempDir()), mops.KeepRun(true))
	if err != nil {
		tb.Fatal(err)
	}
	var group errgroup.Group
	group.SetLimit(16)
	make(env.Context(tb.Context()), &group)
	if err := errors.Join(group.Wait(), env.Close()); err != nil {
		tb.Fatal(err)
	}
}

func forecastDays(from, to int, city string) func(context.Context, *errgroup.Group) {
	return func(ctx context.Context, group *errgroup.Group) {
		for day := from; day < to; day++ {
			in := diffIn{City: city}
			in.Area.Day = day
			group.Go(func() error { _, err := diffed.Call(ctx, in); return err })
		}
	}
}

type diffed2 struct {
	New, Gone []struct{ URI string }
	Why       []struct {
		Function, Why, Example string
		Calls                  int
	}
}

func (l *tool) diff(args ...string) (found diffed2) {
	l.t.Helper()
	stdout, stderr, code := l.run(append([]string{"diff", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 0 {
		l.t.Fatalf("%d, %v: %s", code, err, stderr)
	}
	return found
}

// runs are the ids of the runs in a root, oldest first.
func (l *tool) runs() (ids []string) {
	l.t.Helper()
	store, err := blob.Open(l.t.Context(), l.root)
	if err != nil {
		l.t.Fatal(err)
	}
	entries, err := programs.List(l.t.Context(), store)
	if err != nil {
		l.t.Fatal(err)
	}
	byStart := map[string]time.Time{}
	for _, e := range entries {
		head, err := programs.ReadHead(l.t.Context(), store, e.ID)
		if err != nil {
			l.t.Fatal(err)
		}
		byStart[e.ID] = head.Start
		at := 0
		for at < len(ids) && byStart[ids[at]].Before(head.Start) {
			at++
		}
		ids = append(ids[:at], append([]string{e.ID}, ids[at:]...)...)
	}
	return ids
}

// All calls are explained, in groups: by the fields in which inputs differ, a version, or
// that there was no call of the function.
func TestDiffExplainsAllCalls(t *testing.T) {
	l := newTool(t)
	runOf(t, l.root, forecastDays(0, 300, "Oslo"))
	runOf(t, l.root, func(ctx context.Context, group *errgroup.Group) {
		forecastDays(100, 300, "Oslo")(ctx, group)
		forecastDays(300, 400, "Oslo")(ctx, group)
		forecastDays(0, 50, "Bern")(ctx, group)
		forecastDays(500, 505, "Rome")(ctx, group)
		group.Go(func() error { _, err := newly.Call(ctx, diffIn{}); return err })
	})
	ids := l.runs()
	found := l.diff(ids[0], ids[1])
	got := map[string]int{}
	for _, e := range found.Why {
		got[e.Function+": "+e.Why] += e.Calls
		if strings.Contains(e.Why, "In.") && !strings.Contains(e.Example, "In.") {
			t.Errorf("%+v has no example", e)
		}
	}
	for why, calls := range map[string]int{
		"diff/forecast: new: In.Area.Day":                                        100,
		"diff/forecast: new: In.City":                                            50,
		"diff/forecast: new: In.Area.Day, In.City, with values that no call had": 5,
		"diff/other: new: the run before made no call of it":                     1,
	} {
		if got[why] != calls {
			t.Errorf("%s: %d calls, want %d\n%+v", why, got[why], calls, got)
		}
	}
	if len(found.New) != 156 || len(found.Gone) != 100 || len(got) != 4 {
		t.Errorf("%d new, %d gone, %v", len(found.New), len(found.Gone), got)
	}
	l.expect(0, []string{"100 calls of diff/forecast, new: In.Area.Day\n", " after, "}, "diff", ids[0], ids[1])
	l.expect(0, []string{"inputs were not compared", "--look N"}, "diff", "--look", "10", ids[0], ids[1])
}

// What differs in the code of two results is named once, for all calls that have it.
func TestDiffNamesCode(t *testing.T) {
	l := newTool(t)
	store, err := blob.Open(t.Context(), l.root)
	if err != nil {
		t.Fatal(err)
	}
	decl := func(hash string) *code.Fingerprint {
		return &code.Fingerprint{Hash: "c0de" + hash, Package: "example.com/f", Decls: []code.Decl{{Kind: code.Func, Name: "example.com/f.train", Hash: hash, File: "f.go", Line: 7}}}
	}
	for _, f := range []*code.Fingerprint{decl("1"), decl("2")} {
		if err := memo.PutCode(t.Context(), store, f); err != nil {
			t.Fatal(err)
		}
	}
	for run, name := range []string{"2611231412-OneOneOne", "2611231413-TwoTwoTwo"} {
		w := programs.Writer{Store: store, ID: name}
		var lines []byte
		for n := range 30 {
			key := memokey.Parts{Name: "f", Version: "1", In: "in", Out: "out", Input: fmt.Append(nil, n)}.Key()
			at := memokey.Path("p", "f", "1", key)
			c := programs.Call{Function: "f@1", Memo: at, Outcome: "computed", Run: fmt.Sprintf("run%d-%d", run, n), Result: fmt.Sprint(run, n)}
			if lines, err = programs.Encode(lines, c); err != nil {
				t.Fatal(err)
			}
			head := record.Head{MemoKey: key.String(), RunID: c.Run, Origin: record.Origin{Code: decl(fmt.Sprint(run + 1)).Hash}}
			call := record.Call{Function: "f", Version: "1", Pipeline: "p", Codec: record.Codec, In: "in", Out: "out"}
			put := func(kind record.Kind, header any, ifAbsent bool) {
				sealed, err := record.Seal(kind, header, []byte{0xf6})
				if err == nil {
					_, err = store.PutBytes(t.Context(), at+"/"+string(kind), sealed, blob.PutOptions{IfAbsent: ifAbsent})
				}
				if err != nil && !blob.Is(err, blob.Exists) {
					t.Fatal(err)
				}
			}
			put(record.KindInvocation, record.InvocationHeader{Head: head, Call: call}, true)
			put(record.KindResult, record.ResultHeader{RunHeader: record.RunHeader{Head: head, Call: call}}, false)
		}
		err := errors.Join(w.Begin(t.Context(), programs.Head{Start: time.Now()}), w.Append(t.Context(), programs.State{}, lines), w.End(t.Context(), programs.End{}))
		if err != nil {
			t.Fatal(err)
		}
	}
	said := []string{"30 calls of f, computed again: its result was not there", "its code changed: ", "30 calls of f, with other results: the code changed: ", "train changed (f.go:7"}
	l.expect(0, said, "diff", "2611231412", "2611231413")
}

// The time of comparing two runs of ten thousand calls each that have none in common,
// against reading their inputs, as many side by side: what the runs list is read, and
// inputs are decoded and compared, too.
func BenchmarkDiff(b *testing.B) {
	const calls = 10_000
	l := &tool{root: "file://" + b.TempDir(), now: time.Now()}
	runOf(b, l.root, forecastDays(0, calls, "Oslo"))
	runOf(b, l.root, forecastDays(calls, 2*calls, "Oslo"))
	store, err := blob.Open(b.Context(), l.root)
	if err != nil {
		b.Fatal(err)
	}
	entries, err := programs.List(b.Context(), store)
	if err != nil {
		b.Fatal(err)
	}
	var keys []string
	for _, e := range entries {
		run, err := programs.Read(b.Context(), store, e.ID)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range run.Calls {
			keys = append(keys, c.Memo+"/invocation")
		}
	}
	if len(keys) != 2*calls {
		b.Fatalf("%d calls are listed", len(keys))
	}
	var ratios []float64
	for b.Loop() {
		start := time.Now()
		var group errgroup.Group
		group.SetLimit(8)
		for _, key := range keys {
			group.Go(func() error { _, _, err := store.ReadAll(b.Context(), key, nil); return err })
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
		reads := time.Since(start)
		start = time.Now()
		if stdout, stderr, code := l.runIn(b.Context(), "diff", entries[0].ID, entries[1].ID); code != 0 || !strings.Contains(stdout, "10,000 calls of diff/forecast, new: In.Area.Day") {
			b.Fatal(stdout, stderr)
		}
		ratios = append(ratios, time.Since(start).Seconds()/reads.Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "reads-ratio")
}
