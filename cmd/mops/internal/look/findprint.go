package look

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/query"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// foundRow is a call that was found, for programs.
type foundRow struct {
	URI      string                  `json:"uri"`
	Words    string                  `json:"words"`
	State    view.State              `json:"state"`
	Pipeline string                  `json:"pipeline"`
	Function string                  `json:"function"`
	Version  string                  `json:"version"`
	Bytes    int64                   `json:"bytes"`
	Oldest   time.Time               `json:"oldest"`
	Newest   time.Time               `json:"newest"`
	Show     map[string]dynamic.JSON `json:"show,omitempty"`

	name  string
	cells []any
}

// leftOut is records that could not be read, or values that could not be looked at.
type leftOut struct {
	Why   string `json:"why"`
	Calls int    `json:"calls"`
	URI   string `json:"uri"` // of one of them
	Error string `json:"error"`
}

// foundPrinter prints the calls that were found: as they come, but for a table, whose
// columns are as wide as what stands in them.
type foundPrinter struct {
	a      *cli.App
	of     roots.Address
	titles []string
	csv    *csv.Writer
	newest int
	out    *bufio.Writer
	aside  func(func()) // takes the status from the terminal meanwhile

	found   atomic.Int64
	printed int
	rows    []foundRow

	mu   sync.Mutex
	left [troubles]leftOut
}

func newFoundPrinter(a *cli.App, x roots.Address, o *lsOptions, titles []string) *foundPrinter {
	f := &foundPrinter{a: a, of: x, titles: titles, newest: o.newest, out: bufio.NewWriterSize(a.Stdout, 64<<10), aside: func(do func()) { do() }}
	if o.csv {
		f.csv = csv.NewWriter(f.out)
	}
	return f
}

// rowsTogether is how many rows of a table have columns of one width.
const rowsTogether = 2000

func (f *foundPrinter) add(c *candidate, cells []any) error {
	f.found.Add(1)
	row := foundRow{
		URI: f.of.Store.URI(c.Path), Words: words.Of(c.Path), State: c.state, Pipeline: c.of.Pipeline, Function: c.of.Name, Version: c.of.Version,
		Bytes: c.Bytes, Oldest: c.Oldest, Newest: c.Newest, name: f.name(c), cells: cells,
	}
	if f.table() { // and no more of them than is shown
		row.cells = make([]any, len(cells))
		for i, cell := range cells {
			row.cells[i] = shortCell(cell)
		}
	}
	f.rows = append(f.rows, row)
	switch {
	case f.newest > 0:
		if len(f.rows) >= 2*f.newest+100 {
			f.rows = newestRows(f.rows, f.newest)
		}
		return nil
	case f.table() && len(f.rows) < rowsTogether:
		return nil
	}
	return f.flush()
}

func (f *foundPrinter) table() bool { return !f.a.JSON && f.csv == nil }

func newestRows(rows []foundRow, n int) []foundRow {
	slices.SortFunc(rows, func(a, b foundRow) int {
		return cmp.Or(b.Newest.Compare(a.Newest), strings.Compare(a.URI, b.URI))
	})
	return rows[:min(len(rows), n)]
}

// flush prints the rows that are there.
func (f *foundPrinter) flush() (err error) {
	f.aside(func() {
		switch {
		case f.a.JSON:
			for i := range f.rows {
				err = cmp.Or(err, f.json(&f.rows[i]))
				f.printed++
			}
			f.rows = nil
		case f.csv != nil:
			err = f.separated()
		default:
			f.tabular()
		}
	})
	f.printed += len(f.rows)
	f.rows = f.rows[:0]
	return err
}

func (f *foundPrinter) json(row *foundRow) error {
	if len(f.titles) > 0 {
		row.Show = make(map[string]dynamic.JSON, len(f.titles))
		for i, title := range f.titles {
			row.Show[title] = dynamic.JSON{Value: row.cells[i]}
		}
	}
	text, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("%s: %w", row.URI, err)
	}
	if f.head() {
		io.WriteString(f.out, ",")
	}
	io.WriteString(f.out, "\n    ")
	_, err = f.out.Write(cli.EscapeControls(text))
	return err
}

// head writes what stands before the first call, and reports whether it was there.
func (f *foundPrinter) head() bool {
	if f.printed > 0 {
		return true
	}
	uri, _ := json.Marshal(f.of.URI())
	fmt.Fprintf(f.out, "{\n  \"uri\": %s,\n  \"calls\": [", cli.EscapeControls(uri))
	return false
}

func (f *foundPrinter) separated() error {
	if f.printed == 0 {
		if err := f.csv.Write(append([]string{"uri", "state", "newest"}, f.titles...)); err != nil {
			return err
		}
	}
	for _, row := range f.rows {
		record := []string{row.URI, string(row.State), row.Newest.UTC().Format(time.RFC3339)}
		for _, cell := range row.cells {
			field, err := wholeCell(cell)
			if err != nil {
				return fmt.Errorf("%s: %w", row.URI, err)
			}
			record = append(record, field)
		}
		if err := f.csv.Write(record); err != nil {
			return err
		}
	}
	f.csv.Flush()
	return f.csv.Error()
}

func (f *foundPrinter) tabular() {
	if len(f.rows) == 0 {
		return
	}
	lines := [][]string{append(append([]string{"state", "newest"}, f.titles...), "call")}
	if f.printed > 0 {
		lines = nil
	}
	for _, row := range f.rows {
		line := []string{string(row.State), text.Ago(row.Newest, f.a.Now())}
		for _, cell := range row.cells {
			line = append(line, cell.(string))
		}
		lines = append(lines, append(line, row.name))
	}
	f.a.Text.Rows(f.printed == 0, func() { text.Table(f.a.Text, "", lines, "") })
	f.a.Text.Flush()
}

// widestCell is how many characters of a value a table shows.
const widestCell = 60

// shortCell is a value in a table: a text without quotes, and cut.
func shortCell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		const enough = 4 * widestCell
		return text.Cut(text.Clean(strings.ToValidUTF8(v[:min(len(v), enough)], "\uFFFD")), widestCell)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return text.Cut(dynamic.Short(v, widestCell), 2*widestCell)
}

// wholeCell is a value in a field of CSV: a text as it is, but for what acts upon
// terminals; what is no text, number, time or truth is JSON.
func wholeCell(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return string(escapeBelow(cli.EscapeControls([]byte(strings.ToValidUTF8(v, "\uFFFD"))))), nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	}
	text, err := json.Marshal(dynamic.JSON{Value: v})
	return string(cli.EscapeControls(text)), err
}

// escapeBelow does for the control characters of ASCII what [cli.EscapeControls] does
// for the others: JSON has none of them.
func escapeBelow(text []byte) []byte {
	odd := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }
	if !bytes.ContainsFunc(text, odd) {
		return text
	}
	var out []byte
	for _, b := range text {
		if odd(rune(b)) {
			out = fmt.Appendf(out, `\u%04x`, b)
		} else {
			out = append(out, b)
		}
	}
	return out
}

// trouble counts a call that could not be looked at.
func (f *foundPrinter) trouble(why trouble, uri string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := &f.left[why]
	if l.Calls++; l.Calls == 1 {
		l.URI, l.Error = uri, err.Error()
	}
}

// troubleWords are what is said of calls that were left out.
var troubleWords = [troubles]struct{ name, said string }{
	damaged:      {"damaged", "with a damaged record"},
	removed:      {"removed", "of which a record was removed meanwhile"},
	foreign:      {"foreign", "with a record that is not ours to read"},
	denied:       {"denied", "with a record that may not be read"},
	notEvaluated: {"not_evaluated", "for which the condition could not be worked out"},
}

// end prints the rest, and what was left out.
func (f *foundPrinter) end(listed int64, misfits []query.Misfit) error {
	if f.newest > 0 {
		f.rows = newestRows(f.rows, f.newest)
	}
	if err := f.flush(); err != nil {
		return err
	}
	left := []leftOut{}
	for why, l := range f.left {
		if l.Calls > 0 {
			l.Why = troubleWords[why].name
			left = append(left, l)
		}
	}
	if f.a.JSON {
		return f.endJSON(listed, left, misfits)
	}
	if f.csv != nil {
		if f.printed == 0 {
			if err := f.separated(); err != nil {
				return err
			}
		}
		if err := f.out.Flush(); err != nil {
			return err
		}
	} else if found := int(f.found.Load()); f.printed < found {
		fmt.Fprintf(f.a.Text, "the newest %s of the %s found, of %s\n", text.Number(f.printed), text.Number(found), text.Count(listed, "call"))
	} else {
		fmt.Fprintf(f.a.Text, "%s of %s\n", text.Number(found), text.Count(listed, "call"))
	}
	f.a.Text.Flush()
	for why, l := range f.left {
		if l.Calls > 0 {
			fmt.Fprintf(f.a.Stderr, "mops ls: %s %s left out, such as %s\n  %s\n", text.Count(l.Calls, "call"), troubleWords[why].said, text.Clean(l.URI), indent(l.Error))
		}
	}
	for _, m := range misfits {
		fmt.Fprintf(f.a.Stderr, "mops ls: the condition does not fit the %s of %s\n  %s\n", text.Count(m.Calls, "call"), m.Function, indent(m.Problem.Error()))
	}
	return nil
}

func indent(lines string) string {
	return strings.ReplaceAll(text.CleanLines(lines), "\n", "\n  ")
}

func (f *foundPrinter) endJSON(listed int64, left []leftOut, misfits []query.Misfit) error {
	f.head()
	type misfit struct {
		Function string `json:"function"`
		Calls    int    `json:"calls"`
		Error    string `json:"error"`
	}
	other := []misfit{}
	for _, m := range misfits {
		other = append(other, misfit{m.Function, m.Calls, m.Problem.Error()})
	}
	tail, err := json.Marshal(struct {
		Found   int64     `json:"found"`
		Of      int64     `json:"of"`
		LeftOut []leftOut `json:"left_out"`
		Misfits []misfit  `json:"misfits"`
	}{f.found.Load(), listed, left, other})
	if err != nil {
		return err
	}
	fmt.Fprintf(f.out, "\n  ],\n  %s\n", cli.EscapeControls(tail[1:]))
	return f.out.Flush()
}
