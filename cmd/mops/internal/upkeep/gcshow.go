package upkeep

import (
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/gc"
	"github.com/TrilliantHealth/mops-go/internal/text"
)

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
	if o.calls.Empty() && !o.content && !o.remains {
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
	}{{"shared content", r.Shared}, {"sessions", r.Sessions}} {
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
	text.Table(a.Text, "  ", text.WithoutEmpty(rows), "  >>>>>>>>>>")
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
