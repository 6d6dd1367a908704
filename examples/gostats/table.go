package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go"
)

func (r Report) print(out io.Writer, dir string) {
	fmt.Fprintf(out, "%s: %s packages\n\n", dir, thousands(r.Packages))
	text := table{{"", "files", "lines", "code", "comments", "generated", "test code", "tests"}}
	declared := table{{"", "functions", "complexity", "types", "exported", "documented"}}
	for _, p := range r.Biggest {
		text, declared = append(text, p.text(p.Path)), append(declared, p.declared(p.Path))
	}
	text, declared = append(text, r.Total.text("all packages")), append(declared, r.Total.declared("all packages"))
	text.print(out, "Biggest packages")
	declared.print(out, "What is in them")

	functions := table{{"", "lines", "complexity", ""}}
	for _, f := range r.Longest {
		functions = append(functions, f.row())
	}
	functions.print(out, "Longest functions that were written by hand")
	functions = functions[:1]
	for _, f := range r.Branchiest {
		functions = append(functions, f.row())
	}
	functions.print(out, "Most complex functions that were written by hand")

	side := table{{"imported most", "by", "imports most", "packages", "exports most", "names", "commented most", "lines"}}
	lists := [][]Count{r.Imported, r.Importing, r.Exporting, r.Commented}
	for i := range min(top, r.Packages) {
		var row []string
		for _, list := range lists {
			if i < len(list) {
				row = append(row, list[i].Path, thousands(list[i].N))
			} else {
				row = append(row, "", "")
			}
		}
		if share := &row[len(row)-1]; *share != "" {
			*share += " %"
		}
		side = append(side, row)
	}
	side.print(out, "Packages by other measures")
}

// text is what a package's files are made of.
func (p Package) text(name string) []string {
	return []string{
		name, thousands(p.Files), thousands(p.Lines.All), thousands(p.Lines.Code),
		share(p.Lines.Comments, p.Lines.All), share(p.Generated, p.Lines.All),
		thousands(p.TestLines.Code), thousands(p.Tests),
	}
}

// declared is what a package declares; complexity is that of a function on average.
func (p Package) declared(name string) []string {
	complexity := "-"
	if p.Functions > 0 {
		complexity = fmt.Sprintf("%.1f", float64(p.Complexity)/float64(p.Functions))
	}
	return []string{
		name, thousands(p.Functions), complexity, thousands(p.Types),
		thousands(p.Exported), share(p.Documented, p.Exported),
	}
}

func share(part, whole int) string { return strconv.Itoa(percent(part, whole)) + " %" }

func (f Function) row() []string {
	return []string{f.Name, thousands(f.Lines), thousands(f.Complexity), f.Place}
}

// table is rows of cells, the first row the heads of the columns. Columns of
// numbers stand to the right.
type table [][]string

func (t table) print(out io.Writer, title string) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintf(out, "%s\n", title)
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.number(i) {
				cell, pad = pad+cell, ""
			}
			line.WriteString("  " + cell + pad)
		}
		fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(out)
}

// number reports whether a column holds numbers, as far as it is filled.
func (t table) number(column int) bool {
	for _, row := range t[1:] {
		if cell := row[column]; cell != "" && cell != "-" && (cell[0] < '0' || cell[0] > '9') {
			return false
		}
	}
	return true
}

// thousands writes a number with commas: 1,234,567.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// describe says how many calls came to their result in which way.
func describe(outcomes map[mops.Outcome]int) string {
	var parts []string
	for _, o := range []mops.Outcome{mops.Hit, mops.Computed, mops.Awaited} {
		if n := outcomes[o]; n > 0 {
			parts = append(parts, thousands(n)+" "+plural(o, n))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(o mops.Outcome, n int) string {
	if o == mops.Hit && n != 1 {
		return "hits"
	}
	return string(o)
}
