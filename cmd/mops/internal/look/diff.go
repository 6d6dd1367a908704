package look

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// Diff is mops diff.
var Diff = cli.Command{
	Name:    "diff",
	Usage:   []string{"diff [--json] RUN RUN"},
	Purpose: "say in what two runs of a program differ, and why",
	Teach: `
The first run is the one before, the second the one after. It says, by function, which
calls are new and which are gone, which were computed again though there had been a
result, which have another result, which fail now, and which are slower, by how much.

A call is the same if it has the same key. So a changed version, type or input makes
one call gone and another new: it compares each new call with those of its function
that are gone, as mops why does, and says in what the nearest differs. Of calls that
were computed again, it says what the program said of the reason, such as other code.

Hits beyond those that a run lists are not compared; it says how many those are.`,
	Example: `
mops diff 2611231412-SkirtBusRiver latest
mops diff --json 26112314 26112409 | jq .slower`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := diffOptions{}
		flags.IntVar(&o.show, "show", 5, "show `N` calls of each kind")
		return o.run
	},
}

type diffOptions struct {
	show int
}

// How many calls of a function are compared to say why they are new.
const mostExplained = 50

type diffView struct {
	Before    string         `json:"before"`
	After     string         `json:"after"`
	Functions []functionDiff `json:"functions"`
	New       []callChange   `json:"new"`
	Gone      []callChange   `json:"gone"`
	Again     []callChange   `json:"computed_again"`
	Other     []callChange   `json:"other_results"`
	Failing   []callChange   `json:"failing"`
	Mended    []callChange   `json:"mended"`
	Slower    []callChange   `json:"slower"`
	Faster    []callChange   `json:"faster"`
	Why       []explanation  `json:"why"`
	Unlisted  int64          `json:"unlisted_hits,omitempty"`
}

// functionDiff is how often each thing happened, of one function of any version.
type functionDiff struct {
	Function      string  `json:"function"`
	Before        int64   `json:"before"` // calls
	After         int64   `json:"after"`
	New           int     `json:"new"`
	Gone          int     `json:"gone"`
	Again         int     `json:"computed_again"`
	Other         int     `json:"other_results"`
	Failing       int     `json:"failing"`
	Slower        int     `json:"slower"`
	SecondsBefore float64 `json:"computing_seconds_before"`
	SecondsAfter  float64 `json:"computing_seconds_after"`
}

type callChange struct {
	Function string  `json:"function"`
	URI      string  `json:"memo_uri"`
	Before   string  `json:"before,omitempty"` // outcome
	After    string  `json:"after,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"` // that it took after
	Was      float64 `json:"seconds_before,omitempty"`
	Why      string  `json:"why,omitempty"`
	Error    string  `json:"error,omitempty"`
}

// explanation is a reason that calls of a function have in common.
type explanation struct {
	Function string `json:"function"`
	Calls    int    `json:"calls"`
	Why      string `json:"why"`
	Example  string `json:"example,omitempty"`
}

// side is one of the two runs.
type side struct {
	store *blob.Store
	run   *programs.Run
}

func (o *diffOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	switch {
	case len(line.Args) != 2 || len(line.Program) > 0:
		return cli.Usagef("it takes two runs: an id, the beginning of one, or latest")
	case o.show < 1:
		return cli.Usagef("--show takes a number from 1 on")
	}
	var sides [2]side
	for i, name := range line.Args {
		store, run, err := roots.ReadRun(ctx, a, name)
		if err != nil {
			return err
		}
		sides[i] = side{store, run}
	}
	changes := programs.Compare(sides[0].run, sides[1].run)
	v := viewOfChanges(sides, changes)
	var err error
	if v.Why, err = explained(ctx, sides, changes); err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(v)
	}
	o.render(a, v)
	return nil
}

func viewOfChanges(sides [2]side, c programs.Changes) diffView {
	views := func(changes []programs.Change) []callChange {
		all := []callChange{}
		for _, x := range changes {
			of, store := x.After, sides[1].store
			if of == nil {
				of, store = x.Before, sides[0].store
			}
			v := callChange{Function: of.Function, URI: outstanding(store, *of).MemoURI, Why: of.Why}
			if x.Before != nil {
				v.Before, v.Was = x.Before.Outcome, milliseconds(x.Before.WallSeconds)
			}
			if x.After != nil {
				v.After, v.Seconds, v.Error = x.After.Outcome, milliseconds(x.After.WallSeconds), x.After.Error
			}
			all = append(all, v)
		}
		return all
	}
	v := diffView{
		Before: sides[0].run.ID, After: sides[1].run.ID, Functions: []functionDiff{}, Unlisted: c.Unlisted,
		New: views(c.New), Gone: views(c.Gone), Again: views(c.Again), Other: views(c.Other), Failing: views(c.Failing), Mended: views(c.Mended),
		Slower: views(c.Slower), Faster: views(c.Faster),
	}
	at := map[string]int{}
	row := func(function string) *functionDiff {
		name, _, _ := strings.Cut(function, "@")
		i, known := at[name]
		if !known {
			i = len(v.Functions)
			at[name] = i
			v.Functions = append(v.Functions, functionDiff{Function: name})
		}
		return &v.Functions[i]
	}
	for _, f := range sides[0].run.State.Functions {
		r := row(f.Name)
		r.Before += f.Calls
		r.SecondsBefore += f.ComputingSeconds
	}
	for _, f := range sides[1].run.State.Functions {
		r := row(f.Name)
		r.After += f.Calls
		r.SecondsAfter += f.ComputingSeconds
	}
	for _, kind := range []struct {
		changes []callChange
		n       func(*functionDiff) *int
	}{
		{v.New, func(f *functionDiff) *int { return &f.New }}, {v.Gone, func(f *functionDiff) *int { return &f.Gone }},
		{v.Again, func(f *functionDiff) *int { return &f.Again }}, {v.Other, func(f *functionDiff) *int { return &f.Other }},
		{v.Failing, func(f *functionDiff) *int { return &f.Failing }}, {v.Slower, func(f *functionDiff) *int { return &f.Slower }},
	} {
		for _, c := range kind.changes {
			*kind.n(row(c.Function))++
		}
	}
	return v
}

// explained says why calls are new, and why some were computed again.
func explained(ctx context.Context, sides [2]side, c programs.Changes) ([]explanation, error) {
	all := []explanation{}
	note := func(function, why, example string) {
		i := slices.IndexFunc(all, func(e explanation) bool { return e.Function == function && e.Why == why })
		if i < 0 {
			i = len(all)
			all = append(all, explanation{Function: function, Why: why, Example: example})
		}
		all[i].Calls++
	}
	gone, fresh := map[string][]*programs.Call{}, map[string][]*programs.Call{}
	for _, x := range c.Gone {
		gone[x.Before.Name()] = append(gone[x.Before.Name()], x.Before)
	}
	var names []string
	for _, x := range c.New {
		name := x.After.Name()
		if fresh[name] == nil {
			names = append(names, name)
		}
		fresh[name] = append(fresh[name], x.After)
	}
	for _, name := range names {
		if len(gone[name]) == 0 {
			continue
		}
		before, err := parts(ctx, sides[0].store, gone[name])
		if err != nil {
			return nil, err
		}
		after, err := parts(ctx, sides[1].store, fresh[name])
		if err != nil {
			return nil, err
		}
		for _, is := range after {
			if nearest := nearestOf(is, before); len(nearest) > 0 {
				note(name, "new: "+subjects(nearest), nearest[0].Between("after", "before"))
			}
		}
	}
	for _, x := range c.Again {
		note(x.After.Name(), "computed again: "+cmp.Or(x.After.Why, whyAgain(sides[1].run)), "")
	}
	return all, nil
}

// whyAgain is why a run computed a call of which the program said nothing.
func whyAgain(run *programs.Run) string {
	if run.Options["refresh"] != "" {
		return "it was to be refreshed"
	}
	return "its result was not there any more, or not kept"
}

// parts reads what the keys of calls were made of, of some of them. Those that
// cannot be read do not count.
func parts(ctx context.Context, store *blob.Store, calls []*programs.Call) ([]explain.Call, error) {
	calls = calls[:min(len(calls), mostExplained)]
	read, known := make([]explain.Call, len(calls)), make([]bool, len(calls))
	var group errgroup.Group
	group.SetLimit(16)
	for i, c := range calls {
		at, err := memokey.Parse(c.Memo)
		if err != nil || strings.Contains(c.Memo, "://") { // in another root
			continue
		}
		group.Go(func() error {
			var err error
			read[i], err = explain.Read(ctx, memo.Place{Store: store, Path: at.Path(), Key: at.Key})
			known[i] = err == nil
			return nil
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	kept := read[:0]
	for i, ok := range known {
		if ok {
			kept = append(kept, read[i])
		}
	}
	return kept, nil
}

// nearestOf is in what a call differs from the nearest of others.
func nearestOf(call explain.Call, others []explain.Call) (nearest []explain.Difference) {
	for _, other := range others {
		if d := explain.Compare(call, other); len(d) > 0 && (nearest == nil || len(d) < len(nearest)) {
			nearest = d
		}
	}
	return nearest
}

// subjects names what differs.
func subjects(differences []explain.Difference) string {
	const most = 3
	var names []string
	for _, d := range differences {
		if s := d.Subject(); !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

func (o *diffOptions) render(a *cli.App, v diffView) {
	fmt.Fprintf(a.Text, "before  %s\nafter   %s\n\n", v.Before, v.After)
	rows := [][]string{{"function", "before", "after", "new", "gone", "computed again", "other results", "failing", "slower", "computing", "before"}}
	count := func(n int) string {
		if n == 0 {
			return ""
		}
		return text.Number(n)
	}
	for _, f := range v.Functions {
		row := []string{f.Function, text.Number(f.Before), text.Number(f.After), count(f.New), count(f.Gone), count(f.Again), count(f.Other), count(f.Failing), count(f.Slower), "", ""}
		if f.SecondsBefore+f.SecondsAfter > 0 {
			row[9], row[10] = text.Seconds(f.SecondsAfter), text.Seconds(f.SecondsBefore)
		}
		rows = append(rows, row)
	}
	text.Table(a.Text, "  ", text.WithoutEmpty(rows), " >>>>>>>>>>")
	if v.Unlisted > 0 {
		fmt.Fprintf(a.Text, "\n  %s more are only counted, and not compared\n", text.Count(v.Unlisted, "hit"))
	}
	if len(v.New)+len(v.Gone)+len(v.Again)+len(v.Other)+len(v.Failing)+len(v.Slower) == 0 {
		fmt.Fprintln(a.Text, "\nThey made the same calls, and computed none of them again.")
	}
	if len(v.Why) > 0 {
		fmt.Fprintln(a.Text, "\nWhy")
		for _, e := range v.Why {
			fmt.Fprintf(a.Text, "  %s of %s, %s\n", text.Count(e.Calls, "call"), e.Function, e.Why)
			if e.Example != "" {
				fmt.Fprintf(a.Text, "      %s\n", e.Example)
			}
		}
	}
	o.calls(a, "With other results", v.Other, func(c callChange) string { return "" })
	o.calls(a, "Failing", v.Failing, func(c callChange) string { return c.Error })
	o.calls(a, "Slower", v.Slower, func(c callChange) string {
		return fmt.Sprintf("%s, before %s", text.Seconds(c.Seconds), text.Seconds(c.Was))
	})
}

func (o *diffOptions) calls(a *cli.App, title string, calls []callChange, more func(callChange) string) {
	if len(calls) == 0 {
		return
	}
	fmt.Fprintln(a.Text, "\n"+title)
	for _, c := range calls[:min(len(calls), o.show)] {
		fmt.Fprintf(a.Text, "  %s  %s\n", c.Function, c.URI)
		if m := more(c); m != "" {
			fmt.Fprintf(a.Text, "      %s\n", m)
		}
	}
	if n := len(calls) - o.show; n > 0 {
		fmt.Fprintf(a.Text, "  and %s more\n", text.Number(n))
	}
}
