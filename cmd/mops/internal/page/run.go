package page

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/usage"
)

// runPage is the page of a run.
type runPage struct {
	frame
	Head      programs.Head
	Words     string
	State     runState
	Seconds   float64 // that it took, or has taken so far
	Exit      *programs.End
	Total     programs.Function
	Outcomes  []outcome
	Used      programs.Use // of all executors
	Saved     programs.Use
	Currency  string // "" without prices
	Cost      programs.Cost
	SavedCost programs.Cost
	Functions []functionRow
	Costs     [][]string // by function, below a head
	Failures  []*failure
	Unshown   int // failures of other kinds than those shown
	Open      []openRow
	Fields    map[string]any
	Damaged   int
	Dropped   int64
	Listed    int
	Shown     []shownCall // for browsers without scripts
	From      int         // the first call that Data has
	Data      *columns
}

// runState is how a run stands.
type runState string

// The states.
const (
	going    runState = "running"
	finished runState = "finished"
	failed   runState = "failed"
	stopped  runState = "cancelled"
	broken   runState = "broken off" // it was killed, or the store was away to its end
)

func stateOf(end *programs.End, live bool) runState {
	switch {
	case end == nil && live:
		return going
	case end == nil:
		return broken
	case end.Cancelled:
		return stopped
	case end.Exit != 0:
		return failed
	}
	return finished
}

// outcome is one part of all calls.
type outcome struct {
	Name  string // as in the data
	Text  string
	Count int64
	Share float64 // percent
	Start float64 // percent before it
}

// outcomesOf are the parts of all calls in the order in which they are shown. What
// there is none of is left out.
func outcomesOf(t programs.Totals) (all []outcome) {
	start := 0.
	for _, o := range []outcome{
		{"failed", "failed", t.Failed, 0, 0}, {"computed", "computed", t.Computed, 0, 0}, {"open", "under way", t.Open(), 0, 0},
		{"awaited", "awaited", t.Awaited, 0, 0}, {"cancelled", "cancelled", t.Cancelled, 0, 0}, {"hit", "hits", t.Hits, 0, 0},
	} {
		if o.Count > 0 {
			o.Share, o.Start = share(float64(o.Count), float64(t.Calls)), start
			start += o.Share
			all = append(all, o)
		}
	}
	return all
}

// functionRow is what a run did with one function.
type functionRow struct {
	programs.Function
	Folder   string // <pipeline>/<name>@<version> of its listed calls, if it is one
	Outcomes []outcome
	Median   float64 // seconds, of runs that are listed
	UsedAll  programs.Use
	Peak     int64 // bytes: the most that one of its calls had
	Limit    int64 // bytes: the most that one of them asked for
	CPUs     float64
}

// shownCall is a line of the table without scripts.
type shownCall struct {
	programs.Call
	Took float64
}

// openRow is a call under way.
type openRow struct {
	programs.Open
	Seconds float64 // in its stage, or since it was asked for
	Use     *openUse
}

// openUse is what the worker of a call uses now.
type openUse struct {
	Memory, Swapped int64
	CPUs            float64 // of late
	Points          string  // of memory over time, for an SVG polyline of 100 by 20
}

// sum is the use on all executors.
func sum(list []programs.Use) (all programs.Use) {
	for _, u := range list {
		all = all.Plus(u)
	}
	return all
}

// mostShown is how many calls the page shows without scripts.
const mostShown = 2000

// newRunPage puts a page together. From is how many of the calls the reader has.
func newRunPage(ctx context.Context, store *blob.Store, run *programs.Run, prices programs.Prices, now time.Time, from int) *runPage {
	p := &runPage{Head: run.Head, Words: strings.TrimLeft(run.ID, "0123456789-"), Listed: len(run.Calls), Damaged: run.Damaged, Dropped: run.State.Dropped, From: min(from, len(run.Calls))}
	p.Title = path.Base(text.Clean(run.Name())) + " " + p.Words
	p.Kind, p.Root, p.Now, p.Live, p.frame.Run = "run", store.Root(), now, run.Live(now), run.ID
	p.State, p.Exit = stateOf(run.Ended, p.Live), run.Ended
	p.Seconds = run.State.At
	switch {
	case run.Ended != nil && run.Ended.End.After(run.Start):
		p.Seconds = run.Ended.End.Sub(run.Start).Seconds()
	case p.Live:
		p.Seconds = max(p.Seconds, now.Sub(run.Start).Seconds())
	}
	p.Total = run.State.Total()
	p.Outcomes = outcomesOf(p.Total.Totals)
	p.Used, p.Saved = sum(p.Total.Used), sum(p.Total.Saved)
	p.Fields = maps.Clone(run.Fields)
	if p.Fields == nil {
		p.Fields = map[string]any{}
	}
	maps.Copy(p.Fields, run.State.Fields)
	p.Cost, p.SavedCost = prices.Of(p.Total.Used), prices.Of(p.Total.Saved)
	p.Functions = functionRows(run)
	p.Currency = prices.Unit()
	p.Costs = prices.Table(run.State.Functions)
	p.addFailures(ctx, store, run)
	var open []programs.Open
	if p.Live {
		open = run.State.Open
		p.addOpen(ctx, store, run)
	}
	p.Data = columnsOf(run.Calls[p.From:], open)
	if p.From == 0 {
		p.addShown(run.Calls)
	}
	return p
}

// functionRows are the functions, those that failed first, then by the time that they
// took.
func functionRows(run *programs.Run) []functionRow {
	rows := make([]functionRow, len(run.State.Functions))
	at := map[string]*functionRow{}
	walls := map[string][]float64{}
	for i, f := range run.State.Functions {
		rows[i] = functionRow{Function: f, Outcomes: outcomesOf(f.Totals), UsedAll: sum(f.Used)}
		at[f.Name] = &rows[i]
	}
	for _, c := range run.Calls {
		row := at[c.Function]
		if row == nil {
			continue
		}
		row.Peak, row.Limit, row.CPUs = max(row.Peak, c.PeakMemory), max(row.Limit, c.MemoryLimit), max(row.CPUs, finite(c.CPUs))
		if c.WallSeconds > 0 {
			walls[c.Function] = append(walls[c.Function], c.WallSeconds)
		}
		if row.Folder == "" && c.Memo != "" {
			row.Folder = path.Dir(c.Memo)
		}
	}
	for i := range rows {
		rows[i].Median = median(walls[rows[i].Name])
	}
	slices.SortStableFunc(rows, func(a, b functionRow) int {
		return cmp.Or(cmp.Compare(min(b.Failed, 1), min(a.Failed, 1)), cmp.Compare(b.ComputingSeconds, a.ComputingSeconds))
	})
	return rows
}

// mostOpenUse is of how many calls under way the samples are read.
const mostOpenUse = 24

// addOpen lists the calls under way, with what their workers use.
func (p *runPage) addOpen(ctx context.Context, store *blob.Store, run *programs.Run) {
	var group errgroup.Group
	group.SetLimit(8)
	p.Open = make([]openRow, len(run.State.Open))
	read := 0
	for i, o := range run.State.Open {
		since := o.Asked
		if o.Started > 0 {
			since = o.Started
		}
		row := &p.Open[i]
		*row = openRow{Open: o, Seconds: max(p.Seconds-since, 0)}
		call, err := memokey.Parse(o.Memo)
		if o.Stage != "running" || o.Run == "" || err != nil || call.Root != "" || read == mostOpenUse {
			continue
		}
		read++
		place := roots.Of(store, call).Place()
		group.Go(func() error {
			if s, err := usage.Read(ctx, store, place.Usage(o.Run)); err == nil && len(s.Seconds) > 0 {
				row.Use = useOf(s)
			}
			return nil
		})
	}
	group.Wait()
}

// useOf is the newest of a series, and a line of its memory.
func useOf(s usage.Series) *openUse {
	last := len(s.Seconds) - 1
	u := &openUse{Memory: s.Memory[last], Swapped: s.Swapped[last]}
	if before := max(last-3, 0); before < last && s.Seconds[last] > s.Seconds[before] {
		u.CPUs = max(s.CPU[last]-s.CPU[before], 0) / (s.Seconds[last] - s.Seconds[before])
	}
	u.Points = points(s.Seconds, s.Memory, 100, 20)
	return u
}

// addShown chooses the calls for the table without scripts: those that failed, then
// the longest.
func (p *runPage) addShown(calls []programs.Call) {
	for _, c := range calls {
		p.Shown = append(p.Shown, shownCall{c, max(c.Ended-c.Asked, 0)})
	}
	slices.SortStableFunc(p.Shown, func(a, b shownCall) int {
		return cmp.Or(boolCompare(b.Outcome == "failed", a.Outcome == "failed"), cmp.Compare(b.Took, a.Took))
	})
	p.Shown = p.Shown[:min(len(p.Shown), mostShown)]
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// goOn are the address of a call, and the commands to go on with about it.
func goOn(uri string) []struct{ Name, Text string } {
	return []struct{ Name, Text string }{
		{"URI", uri}, {"inspect", "mops inspect " + uri}, {"logs", "mops logs " + uri},
		{"replay", "mops replay " + uri + " -- ./program"}, {"lineage", "mops lineage " + uri},
	}
}
