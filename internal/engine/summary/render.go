package summary

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// Render writes a summary for people. Times are local.
func Render(w io.Writer, s Summary) error {
	var out strings.Builder
	renderHead(&out, s)
	renderFunctions(&out, s)
	renderLongest(&out, s.Longest)
	renderFailures(&out, s)
	_, err := io.WriteString(w, out.String())
	return err
}

func renderHead(out *strings.Builder, s Summary) {
	title := filepath.Base(s.Program)
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
	ended := fmt.Sprintf("exit %d", s.Exit)
	if s.Cancelled {
		ended += ", cancelled"
	}
	var f text.Facts
	f.Add("program", text.Clean(s.Program)+" with "+text.Count(s.Arguments, "argument"))
	f.Add("started", s.Start.Local().Format("2006-01-02 15:04:05 MST"))
	f.Add("took", text.Duration(s.End.Sub(s.Start))+", "+ended)
	f.Add("root", text.Clean(s.Root))
	f.Add("pipeline", text.Clean(strings.Join(s.Pipelines, ", ")))
	fmt.Fprintf(out, "%s\n\n", text.Clean(title))
	f.Write(out, "  ")
}

func renderFunctions(out *strings.Builder, s Summary) {
	if len(s.Functions) == 0 {
		out.WriteString("\nNo calls were made.\n")
		return
	}
	rows := [][]string{{"function", "calls", "hits", "computed", "awaited", "failed", "cancelled", "open", "computing", "longest"}}
	add := func(name string, t Totals) {
		row := []string{name}
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
		add(f.Name, f.Totals)
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
}

func renderLongest(out *strings.Builder, calls []Call) {
	if len(calls) == 0 {
		return
	}
	out.WriteString("\nThe longest calls\n")
	var rows [][]string
	for _, c := range calls {
		rows = append(rows, []string{text.Seconds(c.Seconds), c.Function, text.Clean(c.MemoURI)})
	}
	text.Table(out, "  ", rows, ">")
}

func renderFailures(out *strings.Builder, s Summary) {
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
