package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/internal/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/progress"
)

// table writes rows with their columns aligned: ">" in align is to the right,
// all else to the left. Cells are cleaned. A cell of the last column may have
// several lines.
func table(w io.Writer, indent string, rows [][]string, align string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			row[i] = progress.CleanLines(cell)
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

// facts are labels and what they stand for; those without a value are left out.
type facts [][]string

func (f *facts) add(label, value string) {
	if value != "" {
		*f = append(*f, []string{label, value})
	}
}

func (f facts) write(w io.Writer, indent string) { table(w, indent, f, "") }

// count is "1 call", "2 calls", "1,234 calls".
func count[T int | int64](n T, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// number is 1234567 as 1,234,567.
func number[T int | int64](n T) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func size(n int64) string { return dynamic.Bytes(n) }

// when is a time for people, and how long ago that was.
func (a *app) when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST") + " (" + a.ago(t) + ")"
}

func (a *app) ago(t time.Time) string { return progress.Ago(t, a.now()) }

func duration(seconds float64) string {
	return progress.Duration(time.Duration(seconds * float64(time.Second)))
}

// ageSeconds is a time as programs want it: seconds before now, to the second.
func (a *app) ageSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return int64(max(a.now().Sub(t), 0) / time.Second)
}
