package progress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

const (
	maxShown  = 8  // functions in the block
	maxOthers = 4  // lines below them, as a rule
	maxName   = 40 // characters of a function's name there
	barWidth  = 20
)

// part is a piece of a line in one colour; "" is the terminal's own.
type part struct{ text, color string }

// block is the snapshot as lines that fit into width, rows at most: a line per
// function that is under way or was lately, and what takes long.
func block(s Snapshot, width, rows int, color bool) []string {
	functions, more := shownFunctions(s.Functions, min(maxShown, rows-maxOthers))
	nameWidth, countWidth := 0, 0
	for _, f := range functions {
		nameWidth = max(nameWidth, text.Columns(shortName(f.Name)))
		countWidth = max(countWidth, len(countOf(f)))
	}
	var lines []string
	add := func(parts ...part) { lines = append(lines, fit(parts, width-1, color)) }
	for _, f := range functions {
		name := shortName(f.Name)
		line := []part{{name + strings.Repeat(" ", nameWidth-text.Columns(name)+2), ""}}
		if width >= 80 {
			line = append(line, part{bar(f.Done(), f.Total()) + "  ", ""})
		}
		line = append(line, part{fmt.Sprintf("%*s  %s", countWidth, countOf(f), f.pace(s.Time)), ""})
		for i, p := range tally(f.Counts) {
			separator := ", "
			if i == 0 {
				separator = "  "
			}
			line = append(line, part{separator, ""}, p)
		}
		add(line...)
	}
	if more > 0 {
		add(part{fmt.Sprintf("and %d more functions", more), ""})
	}
	if oldest := oldestLine(s); oldest != "" {
		add(part{oldest, ""})
	}
	for _, line := range waitLines(s) {
		add(part{line, ""})
	}
	return lines[:min(len(lines), rows)]
}

// shownFunctions are at most n: those under way first, then those that ended
// last; in the order of their first calls, so that lines stay in place.
func shownFunctions(all []Function, n int) (shown []Function, more int) {
	n = max(n, 1)
	if len(all) <= n {
		return all, 0
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		busyA, busyB := min(all[a].Outstanding(), 1), min(all[b].Outstanding(), 1)
		return cmp.Or(cmp.Compare(busyB, busyA), all[b].LastEnd.Compare(all[a].LastEnd))
	})
	chosen := slices.Sorted(slices.Values(order[:n]))
	for _, i := range chosen {
		shown = append(shown, all[i])
	}
	return shown, len(all) - n
}

func countOf(f Function) string { return fmt.Sprintf("%d/%d", f.Done(), f.Total()) }

// shortName is a name with its middle left out where it is long.
func shortName(name string) string { return text.CutMiddle(text.Clean(name), maxName) }

// bar is [=======>      ].
func bar(done, total int64) string {
	filled := 0
	if total > 0 {
		filled = int(min(done, total) * barWidth / total)
	}
	text := strings.Repeat("=", filled)
	if filled < barWidth {
		text += ">"
	}
	return fmt.Sprintf("[%-*s]", barWidth, text)
}

// fit joins parts and cuts them to width.
func fit(parts []part, width int, color bool) string {
	var line strings.Builder
	whole := 0
	for _, p := range parts {
		whole += text.Columns(p.text)
	}
	room := width
	if whole > width {
		room = max(width-3, 0)
	}
	for _, p := range parts {
		shown := text.Head(strings.ReplaceAll(p.text, "\t", " "), room)
		room -= text.Columns(shown)
		if color && p.color != "" && shown != "" {
			shown = p.color + shown + plain
		}
		line.WriteString(shown)
		if room == 0 {
			break
		}
	}
	if whole > width {
		line.WriteString("..."[:min(3, max(width, 0))])
	}
	return line.String()
}
