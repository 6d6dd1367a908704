package look

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// render is the summary for people. Times are local.
func (s summaryView) render(prices programs.Prices) string {
	var out strings.Builder
	s.renderHead(&out)
	s.renderFunctions(&out)
	showCost(&out, "What that took, and what the hits saved", s.state, prices)
	s.renderLongest(&out)
	s.renderFailures(&out)
	return out.String()
}

func (s summaryView) renderHead(out *strings.Builder) {
	title := path.Base(s.Name)
	if s.Version != "" {
		title += " " + s.Version
	}
	if s.Revision != "" {
		revision := s.Revision[:min(len(s.Revision), 12)]
		if s.Dirty {
			revision += ", with uncommitted changes"
		}
		title += " (" + revision + ")"
	}
	took := text.Duration(s.End.Sub(s.Start))
	switch {
	case s.Ended && s.Cancelled:
		took += fmt.Sprintf(", exit %d, cancelled", s.Exit)
	case s.Ended:
		took += fmt.Sprintf(", exit %d", s.Exit)
	case s.Live:
		took += " so far: it is live"
	default:
		took += " at least: it broke off"
	}
	var f text.Facts
	f.Add("run", text.Clean(s.ID))
	f.Add("program", text.Clean(s.Name)+" with "+text.Count(s.Arguments, "argument"))
	if s.User != "" || s.Host != "" {
		f.Add("who", text.Clean(s.User+"@"+s.Host))
	}
	f.Add("started", s.Start.Local().Format("2006-01-02 15:04:05 MST"))
	f.Add("took", took)
	f.Add("error", text.Clean(s.Error))
	f.Add("root", text.Clean(s.Root))
	f.Add("pipeline", text.Clean(strings.Join(s.Pipelines, ", ")))
	f.Add("config", text.Clean(s.Config))
	var options []string
	for _, key := range slices.Sorted(maps.Keys(s.Options)) {
		options = append(options, key+" "+s.Options[key])
	}
	f.Add("options", text.Clean(strings.Join(options, ", ")))
	for _, key := range slices.Sorted(maps.Keys(s.Fields)) {
		f.Add(text.Clean(key), text.Clean(fmt.Sprint(s.Fields[key])))
	}
	fmt.Fprintf(out, "%s\n\n", text.Clean(title))
	f.Write(out, "  ")
}

func (s summaryView) renderFunctions(out *strings.Builder) {
	if len(s.Functions) == 0 {
		out.WriteString("\nNo calls were made.\n")
		return
	}
	rows := [][]string{{"function", "calls", "hits", "computed", "awaited", "failed", "cancelled", "open", "computing", "longest"}}
	add := func(name string, t totalsView) {
		row := []string{text.Clean(name)}
		for _, n := range []int64{t.Calls, t.Hits, t.Computed, t.Awaited, t.Failed, t.Cancelled, t.Open} {
			row = append(row, text.Number(n))
		}
		for _, seconds := range []float64{t.ComputingSeconds, t.LongestSeconds} {
			if t.Computed == 0 {
				row = append(row, "-")
			} else {
				row = append(row, text.Seconds(seconds))
			}
		}
		rows = append(rows, row)
	}
	for _, f := range s.Functions {
		add(f.Name, f.totalsView)
	}
	if len(s.Functions) > 1 {
		add("all", s.Totals)
	}
	for last, n := range []int64{s.Totals.Open, s.Totals.Cancelled, s.Totals.Failed, s.Totals.Awaited} {
		if n > 0 {
			continue
		}
		for i, row := range rows { // a column that says nothing is left out
			rows[i] = slices.Delete(row, 7-last, 8-last)
		}
	}
	out.WriteString("\n")
	text.Table(out, "  ", rows, " >>>>>>>>>")
	t := s.Totals
	var far []string
	for _, of := range []struct {
		n    int64
		what string
	}{{t.Queued, "queued"}, {t.Pending, "pending"}, {t.Starting, "starting"}, {t.Running, "running"}} {
		if of.n > 0 {
			far = append(far, text.Number(of.n)+" "+of.what)
		}
	}
	if len(far) > 0 {
		fmt.Fprintf(out, "\n  of %s open: %s\n", text.Number(t.Open), strings.Join(far, ", "))
	}
	if s.Unlisted > 0 {
		fmt.Fprintf(out, "\n  %s only counted, since the store was away\n", text.Count(s.Unlisted, "call"))
	}
}

func (s summaryView) renderLongest(out *strings.Builder) {
	if len(s.Longest) == 0 {
		return
	}
	out.WriteString("\nThe longest calls\n")
	var rows [][]string
	for _, c := range s.Longest {
		rows = append(rows, []string{text.Seconds(c.Seconds), text.Clean(c.Function), text.Clean(c.MemoURI)})
	}
	text.Table(out, "  ", rows, ">")
}

func (s summaryView) renderFailures(out *strings.Builder) {
	if len(s.Failures) == 0 {
		return
	}
	out.WriteString("\nFailures\n")
	for _, c := range s.Failures {
		fmt.Fprintf(out, "  %s  %s\n      %s\n", text.Clean(c.Function), text.Clean(c.MemoURI), text.Clean(c.Error))
	}
	if more := s.Totals.Failed - int64(len(s.Failures)); more > 0 {
		fmt.Fprintf(out, "  and %s more\n", text.Number(more))
	}
}
