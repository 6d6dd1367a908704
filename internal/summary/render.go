package summary

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/internal/progress"
)

// Render writes a summary for people. Times are local.
func Render(w io.Writer, s Summary) error {
	var text strings.Builder
	renderHead(&text, s)
	renderFunctions(&text, s)
	renderLongest(&text, s.Longest)
	renderFailures(&text, s)
	_, err := io.WriteString(w, text.String())
	return err
}

func renderHead(text *strings.Builder, s Summary) {
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
	facts := [][]string{
		{"program", s.Program + " with " + count(int64(s.Arguments), "argument")},
		{"started", s.Start.Local().Format("2006-01-02 15:04:05 MST")},
		{"took", progress.Duration(s.End.Sub(s.Start)) + ", " + ended},
	}
	if s.Root != "" {
		facts = append(facts, []string{"root", s.Root})
	}
	if len(s.Pipelines) > 0 {
		facts = append(facts, []string{"pipeline", strings.Join(s.Pipelines, ", ")})
	}
	fmt.Fprintf(text, "%s\n\n", progress.Clean(title))
	table(text, facts, "  ")
}

func renderFunctions(text *strings.Builder, s Summary) {
	if len(s.Functions) == 0 {
		text.WriteString("\nNo calls were made.\n")
		return
	}
	rows := [][]string{{"function", "calls", "hits", "computed", "awaited", "failed", "cancelled", "open", "computing", "longest"}}
	add := func(name string, t Totals) {
		row := []string{name}
		for _, n := range []int64{t.Calls, t.Hits, t.Computed, t.Awaited, t.Failed, t.Cancelled, t.Open} {
			row = append(row, number(n))
		}
		for _, seconds := range []float64{t.ComputingSeconds, t.LongestSeconds} {
			if t.Computed == 0 {
				row = append(row, "-")
			} else {
				row = append(row, progress.Duration(duration(seconds)))
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
	text.WriteString("\n")
	table(text, withoutIdle(rows, s.Totals), " >>>>>>>>>")
}

// withoutIdle leaves out the columns that say nothing in any row.
func withoutIdle(rows [][]string, t Totals) [][]string {
	idle := map[int]bool{4: t.Awaited == 0, 5: t.Failed == 0, 6: t.Cancelled == 0, 7: t.Open == 0}
	var kept [][]string
	for _, row := range rows {
		var cells []string
		for i, cell := range row {
			if !idle[i] {
				cells = append(cells, cell)
			}
		}
		kept = append(kept, cells)
	}
	return kept
}

func renderLongest(text *strings.Builder, calls []Call) {
	if len(calls) == 0 {
		return
	}
	text.WriteString("\nThe longest calls\n")
	var rows [][]string
	for _, c := range calls {
		rows = append(rows, []string{progress.Duration(duration(c.Seconds)), c.Function, c.MemoURI})
	}
	table(text, rows, ">  ")
}

func renderFailures(text *strings.Builder, s Summary) {
	if len(s.Failures) == 0 {
		return
	}
	text.WriteString("\nFailures\n")
	for _, c := range s.Failures {
		fmt.Fprintf(text, "  %s  %s\n      %s\n", progress.Clean(c.Function), progress.Clean(c.MemoURI), progress.Clean(c.Error))
	}
	if more := s.Totals.Failed - int64(len(s.Failures)); more > 0 {
		fmt.Fprintf(text, "  and %s more\n", number(more))
	}
}

// table writes rows with their columns aligned: ">" in align is to the right,
// all else to the left.
func table(text *strings.Builder, rows [][]string, align string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			row[i] = progress.Clean(cell)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < len(align) && align[i] == '>' {
				line.WriteString("  " + pad + cell)
			} else {
				line.WriteString("  " + cell + pad)
			}
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// number is 1234567 as 1,234,567.
func number(n int64) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}
