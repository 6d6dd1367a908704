package look

import (
	"context"
	"fmt"
	"slices"
	"strings"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
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
one call gone and another new. Why calls are new it says by what they have in common, as
mops why does of one: another version of the function or of one that it calls, other
types; if it is none of these, it reads the inputs, of up to --look calls of a function,
and says in which fields the new ones differ from the nearest of before, or which have
values that no call had.

Of calls that were computed again or have another result it says what the program said of
the reason, and which declarations differ in the code that computed the two results: each
function, constant, type, embedded file or dependency. It knows that of functions whose
code is locked, as long as the records of one such call of each run are there.

Hits beyond those that a run lists are not compared; it says how many those are.`,
	Example: `
mops diff 2611231412-SkirtBusRiver latest
mops diff --json 26112314 26112409 | jq .slower`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := diffOptions{}
		flags.IntVar(&o.show, "show", 5, "show `N` calls of each kind")
		flags.IntVar(&o.look, "look", 10_000, "compare the inputs of `N` calls of a function, in each run")
		return o.run
	},
	Complete:  roots.CompleteRun,
	CompleteN: 2,
}

type diffOptions struct {
	show int
	look int
}

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
	case o.show < 1 || o.look < 1:
		return cli.Usagef("--show and --look take numbers from 1 on")
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
	e := explainer{sides: sides, changes: changes, look: o.look}
	status := a.Status(e.status)
	v.Why, err = e.explain(ctx)
	status.Stop()
	if err != nil {
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

// subjects names what differs.
func subjects(differences []explain.Difference) string {
	var names []string
	for _, d := range differences {
		if s := d.Subject(); !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return several(names)
}

// several is the first of some names.
func several(names []string) string {
	const most = 3
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("%d more", len(names)-most))
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
	a.Text.Table("  ", text.WithoutEmpty(rows), " >>>>>>>>>>")
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
