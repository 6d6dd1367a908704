// Package upkeep has the commands of those who keep a store or a cluster for others:
// gc shows what takes room and removes it, doctor examines whether all works.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/gc"
)

// GC is mops gc.
var GC = cli.Command{
	Name:    "gc",
	Usage:   []string{"gc [--json] [ROOT]", "gc [--older AGE] [--pipeline P] [--function F] [--content] [--remains] [--delete] [ROOT]", "gc [--runs AGE] [--delete] [ROOT]"},
	Purpose: "show what a root holds by age, and remove what is no longer wanted",
	Teach: `
Without flags it shows what is there, by pipeline, function and age. With flags it
says what would be removed, and removes it only with --delete. It may run while
programs use the root, and be interrupted and run again at any time.

--older, --pipeline and --function choose calls; a call must match all of them. A
call is as old as what was written of it last; being found does not make it younger.
Calls that somebody computes are left alone. Files that a call returned go a day
after its result (--grace), with the next run of the same command, so that who has
just found the result can read them; files that other calls name stay.

--content chooses what calls share, such as files that were passed in: what no
record of any pipeline names, and that is older than 60 days. Programs that are told
of a storage TTL rely on it for half of that: give the longest of theirs with
--storage-ttl, instead of the 60 days. If any record cannot be read, because a newer
mops wrote it, no content is removed.

--remains chooses what crashed programs left: sessions, calls without result and
error, and files of runs that came second, all of them a week old.

--runs chooses what is kept of runs of programs, for mops runs and summary: of those
that wrote nothing for that age, and are not live. No call needs them.

An age is a number and a unit: w, d, h, m (minutes) or s.`,
	Example: `
mops gc                                              what is there
mops gc --older 90d                                  what would go
mops gc --older 90d --content --remains --runs 90d --delete     every night, say
mops gc --pipeline tryout --delete s3://bucket/mops
mops gc --function forecast/train@1 --delete`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := gcOptions{grace: text.Age(gc.DefaultGrace)}
		flags.Func("older", "calls of which nothing was written for this `AGE`", o.older.Set)
		flags.StringVar(&o.calls.Pipeline, "pipeline", "", "calls of this `PIPELINE`")
		flags.StringVar(&o.function, "function", "", "calls of this function, `NAME` or NAME@VERSION")
		flags.BoolVar(&o.content, "content", false, "shared content that no record names")
		flags.BoolVar(&o.remains, "remains", false, "what crashed programs left")
		flags.Func("runs", "runs of programs that wrote nothing for this `AGE`", o.runs.Set)
		flags.BoolVar(&o.remove, "delete", false, "remove it")
		flags.Func("grace", "how long the files of a call outlive its result, an `AGE` (24h)", o.grace.Set)
		flags.Func("storage-ttl", "the longest TTL that programs are told of, an `AGE` (60d)", o.ttl.Set)
		return o.run
	},
	Complete: roots.CompleteRoot,
	Values:   map[string]cli.Completer{"pipeline": roots.CompletePipeline, "function": roots.CompleteFunction},
}

type gcOptions struct {
	older            text.Age
	calls            gc.Selection
	function         string
	content, remains bool
	remove           bool
	grace, ttl, runs text.Age
	ofRuns           bool
}

// gcView is what gc prints for programs.
type gcView struct {
	URI      string    `json:"uri"`
	Deleted  bool      `json:"deleted"`   // something was to be removed, rather than only looked at
	AgesDays []float64 `json:"ages_days"` // less than which each element of by_age is old, but for the last one
	*gc.Report
}

func viewOf(uri string, deleted bool, report *gc.Report) gcView {
	v := gcView{URI: uri, Deleted: deleted, Report: report}
	for _, age := range gc.Ages {
		v.AgesDays = append(v.AgesDays, age.Hours()/24)
	}
	return v
}

func (o *gcOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if err := o.check(line); err != nil {
		return err
	}
	store, err := roots.Bare(ctx, a, line)
	if err != nil {
		return err
	}
	var far gc.Progress
	status := a.Status(func() string { return gcLine(far.Now()) })
	report, err := gc.Run(ctx, store, gc.Options{
		Calls: o.calls, Content: o.content, Remains: o.remains, Runs: o.ofRuns, RunsAge: time.Duration(o.runs), Delete: o.remove,
		Grace: time.Duration(o.grace), TTL: time.Duration(o.ttl), Progress: &far,
	})
	status.Stop()
	if err != nil && report.Freed.Count == 0 {
		return err
	}
	if a.JSON {
		if jsonErr := a.PrintJSON(viewOf(store.Root(), o.remove, report)); jsonErr != nil {
			return errors.Join(err, jsonErr)
		}
	} else {
		o.show(a, store.Root(), report)
	}
	if err != nil {
		return fmt.Errorf("it ended before all was done; run it again to go on: %w", err)
	}
	if report.Failures > 0 {
		return cli.ErrSaid
	}
	return nil
}

func (o *gcOptions) check(line cli.Line) error {
	o.calls.Older, o.calls.Every = time.Duration(o.older), line.Given("older") && o.older == 0
	if o.calls.Pipeline != "" {
		if err := memokey.ValidPipeline(o.calls.Pipeline); err != nil {
			return cli.Usage(err)
		}
	}
	if o.function != "" {
		if err := o.calls.SetFunction(o.function); err != nil {
			return cli.Usage(err)
		}
	}
	chosen := !o.calls.Empty()
	o.ofRuns = line.Given("runs")
	switch {
	case o.remove && !chosen && !o.content && !o.remains && !o.ofRuns:
		return cli.Usagef("--delete goes with what is to be removed: --older, --pipeline, --function, --content, --remains or --runs")
	case line.Given("storage-ttl") && !o.content:
		return cli.Usagef("--storage-ttl goes with --content")
	case line.Given("storage-ttl") && time.Duration(o.ttl) < gc.LeastTTL:
		return cli.Usagef("--storage-ttl must be an hour at least")
	case line.Given("grace") && !chosen && !o.remains:
		return cli.Usagef("--grace goes with --older, --pipeline, --function or --remains")
	}
	return nil
}

// gcLine says how far a run is.
func gcLine(m gc.Moment) string {
	line := m.Phase + ": " + text.Number(m.Done)
	if m.Of > 0 {
		line += " of " + text.Number(m.Of)
	}
	if m.Freed > 0 {
		line += ", " + text.Count(m.Freed, "blob") + " removed in all"
	}
	return line
}

// clockLine says by which clock ages are, where it is another than ours.
func clockLine(report *gc.Report, now time.Time) string {
	skew := now.Sub(report.Now)
	if skew.Abs() < time.Minute {
		return ""
	}
	direction := "behind"
	if skew < 0 {
		direction = "ahead of"
	}
	return fmt.Sprintf("ages are by the store's clock, which is %s %s this machine's", text.Duration(skew.Abs()), direction)
}

// show writes what was found and done for people.
func (o *gcOptions) show(a *cli.App, root string, r *gc.Report) {
	fmt.Fprintln(a.Text, root)
	if line := clockLine(r, a.Now()); line != "" {
		fmt.Fprintln(a.Text, "  "+line)
	}
	showByAge(a, r)
	if r.Unknown.Count > 0 {
		fmt.Fprintf(a.Text, "  %s among the calls, %s, that are none of mops's\n", text.Count(r.Unknown.Count, "blob"), text.Bytes(r.Unknown.Bytes))
	}
	if o.calls.Empty() && !o.content && !o.remains && !o.ofRuns {
		fmt.Fprintln(a.Text, "\nmops gc --older 90d says which calls are older than that; mops help gc, what else can be chosen.")
		return
	}
	fmt.Fprintln(a.Text)
	o.showChosen(a, r)
	if !o.remove {
		fmt.Fprintln(a.Text, "\nNothing was removed: --delete removes it, but for what is in use by then.")
	} else {
		o.showRemoved(a, r)
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(a.Text, "  ! %s\n", text.CleanLines(problem))
	}
	if more := r.Failures - int64(len(r.Problems)); more > 0 {
		fmt.Fprintf(a.Text, "  ! and %s more that could not be done\n", text.Number(more))
	}
}

// showByAge writes a table of what is there, with a column for each age.
func showByAge(a *cli.App, r *gc.Report) {
	rows := [][]string{{"pipeline", "function", "calls", "results", "errors", "size"}}
	for i, age := range ageNames() {
		if i == 0 {
			age = "< " + age
		}
		rows[0] = append(rows[0], age)
	}
	pipeline := ""
	for _, f := range r.Functions {
		row := []string{f.Pipeline, f.Function + "@" + f.Version, text.Number(f.Calls), text.Number(f.Results), text.Number(f.Errors), text.Bytes(f.Bytes)}
		if f.Pipeline == pipeline {
			row[0] = ""
		}
		if f.Errors == 0 {
			row[4] = "" // most have none
		}
		pipeline = f.Pipeline
		rows = append(rows, append(row, sizesByAge(f.ByAge)...))
	}
	for _, shared := range []struct {
		name  string
		byAge gc.ByAge
	}{{"shared content", r.Shared}, {"sessions", r.Sessions}, {"runs of programs", r.Runs}} {
		total := gc.Total{}
		for _, t := range shared.byAge {
			total.Count += t.Count
			total.Bytes += t.Bytes
		}
		if total.Count > 0 {
			rows = append(rows, append([]string{"", shared.name, text.Number(total.Count), "", "", text.Bytes(total.Bytes)}, sizesByAge(shared.byAge)...))
		}
	}
	if len(rows) == 1 {
		fmt.Fprintln(a.Text, "  nothing of mops")
		return
	}
	a.Text.Table("  ", text.WithoutEmpty(rows), "  >>>>>>>>>>")
}

// ageNames are "1 day", "7 days", … for the beginning of each column; the first is
// where that one ends.
func ageNames() []string {
	names := []string{text.Age(gc.Ages[0]).Words()}
	for _, from := range gc.Ages {
		names = append(names, "≥ "+text.Age(from).Words())
	}
	return names
}

func sizesByAge(ages gc.ByAge) (cells []string) {
	for _, t := range ages {
		cell := ""
		if t.Count > 0 {
			cell = text.Bytes(t.Bytes)
		}
		cells = append(cells, cell)
	}
	return cells
}

// showChosen writes what the flags choose.
func (o *gcOptions) showChosen(a *cli.App, r *gc.Report) {
	ttl := o.ttl
	if ttl == 0 {
		ttl = text.Age(gc.DefaultTTL)
	}
	rows := [][]string{}
	if !o.calls.Empty() {
		rows = append(rows, []string{text.Count(r.Chosen.Count, "call"), text.Bytes(r.Chosen.Bytes), o.selection()})
	}
	if o.content {
		rows = append(rows, []string{text.Count(r.Content.Count, "blob"), text.Bytes(r.Content.Bytes), "content that no record names, older than " + ttl.Words()})
	}
	if o.remains {
		rows = append(rows,
			[]string{text.Count(r.Remains.Count, "call"), text.Bytes(r.Remains.Bytes), "without result and error, that nobody went on with"},
			[]string{text.Count(r.Dead.Count, "blob"), text.Bytes(r.Dead.Bytes), "of sessions, and of checks, that ended long ago"})
	}
	if o.ofRuns {
		of := "of programs"
		if o.runs > 0 {
			of += ", older than " + o.runs.Words()
		}
		rows = append(rows, []string{text.Count(r.OldRuns.Count, "run"), text.Bytes(r.OldRuns.Bytes), of})
	}
	fmt.Fprintln(a.Text, "Chosen")
	text.Table(a.Text, "  ", rows, ">>")
}

// selection says which calls are chosen.
func (o *gcOptions) selection() string {
	if o.calls == (gc.Selection{Every: true}) {
		return "all calls"
	}
	chosen := "calls"
	if s := o.calls; s.Function != "" {
		chosen += " of " + o.function
	}
	if o.calls.Pipeline != "" {
		chosen += " in pipeline " + o.calls.Pipeline
	}
	if o.older != 0 {
		chosen += " older than " + o.older.Words()
	}
	return chosen
}

// fates are what may become of a call, in the order in which it is told.
var fates = []struct {
	fate gc.Fate
	text string
}{
	{gc.Removed, "removed"},
	{gc.Later, "without a result now; what it referred to goes later, with the same command"},
	{gc.FilesNamed, "removed but for files that other calls name"},
	{gc.Living, "left alone: somebody computes it, or has done so in the last hour"},
	{gc.HandedOver, "left alone: a worker may still start to compute it"},
	{gc.Changed, "left alone: it was computed anew meanwhile"},
	{gc.Unreadable, "left alone: a newer mops wrote it; update this program"},
	{gc.Failed, "not removed, or not all of it"},
}

func (o *gcOptions) showRemoved(a *cli.App, r *gc.Report) {
	fmt.Fprintf(a.Text, "\nRemoved %s, %s\n", text.Count(r.Freed.Count, "blob"), text.Bytes(r.Freed.Bytes))
	rows := [][]string{}
	for _, f := range fates {
		if n := r.Fates[f.fate]; n > 0 {
			rows = append(rows, []string{text.Count(n, "call"), f.text})
		}
	}
	text.Table(a.Text, "  ", rows, ">")
	if o.grace > 0 && r.Fates[gc.Later] > 0 {
		fmt.Fprintf(a.Text, "  (later: %s after the result; --grace says otherwise)\n", text.Age(time.Duration(o.grace)).Words())
	}
}
