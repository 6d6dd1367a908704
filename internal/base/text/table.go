package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table writes rows with their columns aligned: ">" in align is to the right,
// all else to the left. Cells are cleaned. A cell of the last column may have
// several lines.
func Table(w io.Writer, indent string, rows [][]string, align string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Clean(cell)
			if i == len(row)-1 {
				row[i] = CleanLines(cell)
			}
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		line.WriteString(indent)
		for i, cell := range row {
			pad := strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(cell), 0))
			if i > 0 {
				line.WriteString("  ")
			}
			switch {
			case i < len(align) && align[i] == '>':
				line.WriteString(pad + cell)
			case i == len(row)-1:
				deeper := "\n" + strings.Repeat(" ", utf8.RuneCountInString(line.String()))
				line.WriteString(strings.ReplaceAll(cell, "\n", deeper))
			default:
				line.WriteString(cell + pad)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// Facts are labels and what they stand for; those without a value are left out.
type Facts [][]string

// Add adds a fact; "" is none.
func (f *Facts) Add(label, value string) {
	if value != "" {
		*f = append(*f, []string{label, value})
	}
}

// Write writes the facts as a table.
func (f Facts) Write(w io.Writer, indent string) { Table(w, indent, f, "") }

// WithoutEmpty leaves out the columns in which no row but the first says anything.
func WithoutEmpty(rows [][]string) [][]string {
	kept := make([][]string, len(rows))
	for column := range rows[0] {
		said := slices.ContainsFunc(rows[1:], func(row []string) bool { return column < len(row) && row[column] != "" })
		for i, row := range rows {
			if said && column < len(row) {
				kept[i] = append(kept[i], row[column])
			}
		}
	}
	return kept
}
