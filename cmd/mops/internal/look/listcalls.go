package look

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// callRow is a call in a list.
type callRow struct {
	URI   string     `json:"uri"`
	Words string     `json:"words"`
	State view.State `json:"state"`
	explain.Listed
	Code string `json:"code,omitempty"` // that computed the result; with --code
	Func string `json:"func,omitempty"`
}

// mostLeases is how many leases a list reads to tell running calls from
// abandoned ones. A fan-out may have more; then the rest is unfinished.
const mostLeases = 1000

// listCalls lists the calls of a function as they come: a hundred thousand take
// no more memory than one, unless they are to be sorted.
func (o *lsOptions) listCalls(ctx context.Context, a *cli.App, x roots.Address) error {
	p := callPrinter{a: a, of: x, sights: view.Sights{}}
	if o.code {
		p.codes = counts{}
	}
	n := 0
	var newest []explain.Listed
	for call, err := range explain.List(ctx, x.Store, x.Path+"/") {
		switch {
		case err != nil:
			return err
		case !call.Folder:
			continue
		}
		n++
		if o.newest == 0 {
			err = p.later(ctx, call)
		} else if newest = append(newest, call); len(newest) >= 2*o.newest+100 {
			newest = newestOf(newest, o.newest)
		}
		if err != nil {
			return err
		}
	}
	for _, call := range newestOf(newest, o.newest) {
		if err := p.later(ctx, call); err != nil {
			return err
		}
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if n == 0 {
		return roots.NotFound(ctx, x.Store, x.Path, nil)
	}
	return p.end(ctx, n, *o.source)
}

func newestOf(rows []explain.Listed, n int) []explain.Listed {
	slices.SortFunc(rows, func(a, b explain.Listed) int {
		return cmp.Or(b.Newest.Compare(a.Newest), strings.Compare(a.Path, b.Path))
	})
	return rows[:min(len(rows), n)]
}

// callPrinter finds out how far calls are and writes them one by one, as text or as one
// JSON object. What is written to standard output fails when it is flushed, if at all.
type callPrinter struct {
	a       *cli.App
	of      roots.Address // the function
	sights  view.Sights
	leases  int // read so far
	printed int
	codes   counts // nil where they are not wanted
	waiting []explain.Listed
}

// later prints a call when enough others are there to read their codes side by
// side; at once where those are not wanted.
func (p *callPrinter) later(ctx context.Context, call explain.Listed) error {
	if p.codes == nil {
		return p.call(ctx, call, record.Origin{})
	}
	if p.waiting = append(p.waiting, call); len(p.waiting) < 8*sideBySide {
		return nil
	}
	return p.flush(ctx)
}

func (p *callPrinter) flush(ctx context.Context) error {
	for i, by := range origins(ctx, p.of.Store, p.waiting) {
		call := p.waiting[i]
		if call.Result {
			p.codes.add(by, call.Newest)
		}
		if err := p.call(ctx, call, by); err != nil {
			return err
		}
	}
	p.waiting = p.waiting[:0]
	return nil
}

func (p *callPrinter) call(ctx context.Context, call explain.Listed, by record.Origin) error {
	state, err := p.state(ctx, call)
	if err != nil {
		return err
	}
	p.printed++
	if !p.a.JSON {
		if p.printed == 1 {
			p.row(true, "state", "size", "newest", p.column("code"), "call")
		}
		p.row(false, string(state), text.Bytes(call.Bytes), text.Ago(call.Newest, p.a.Now()), p.column(code.Short(by.Code)), path.Base(call.Path))
		return nil
	}
	text, err := json.Marshal(callRow{p.of.Store.URI(call.Path), words.Of(call.Path), state, call, by.Code, by.Func})
	if err != nil {
		return err
	}
	before := ","
	if p.printed == 1 {
		uri, _ := json.Marshal(p.of.URI())
		before = fmt.Sprintf("{\n  \"uri\": %s,\n  \"calls\": [", cli.EscapeControls(uri))
	}
	fmt.Fprintf(p.a.Text, "%s\n    %s", before, cli.EscapeControls(text))
	return nil
}

func (p *callPrinter) row(header bool, cells ...any) {
	p.a.Text.Rows(header, func() { fmt.Fprintf(p.a.Text, "%-10s  %9s  %-18s  %s%s\n", cells...) })
}

// state says how far a call is. Only one without a result needs a look at its lease.
func (p *callPrinter) state(ctx context.Context, call explain.Listed) (view.State, error) {
	var held *view.Lease
	if !call.Result && call.Lease && p.leases < mostLeases {
		p.leases++
		lease, wrong, err := view.ReadLease(ctx, p.of.Store, call.Path+"/lease", p.sights, time.Time{})
		if err == nil && wrong == nil { // one that cannot be read says nothing
			held = lease
		}
	}
	return view.StateOf(call.Result, call.Error, held), ctx.Err()
}

// column is a code in its column, if there is one.
func (p *callPrinter) column(code string) string {
	if p.codes == nil {
		return ""
	}
	return fmt.Sprintf("%-19s  ", code)
}

func (p *callPrinter) end(ctx context.Context, calls int, source string) error {
	codes, mine := []codeCount{}, (*hereView)(nil)
	if p.codes != nil {
		var err error
		if codes, mine, err = p.compared(ctx, lookHere(source)); err != nil {
			return err
		}
	}
	if p.a.JSON {
		fmt.Fprint(p.a.Text, "\n  ]")
		if p.codes != nil {
			for _, field := range []struct {
				name  string
				value any
			}{{"codes", codes}, {"here", mine}} {
				text, err := json.Marshal(field.value)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.a.Text, ",\n  %q: %s", field.name, cli.EscapeControls(text))
			}
		}
		fmt.Fprint(p.a.Text, "\n}\n")
		return nil
	}
	if p.printed < calls {
		fmt.Fprintf(p.a.Text, "the newest %s of %s\n", text.Number(p.printed), text.Count(calls, "call"))
	} else {
		fmt.Fprintln(p.a.Text, text.Count(calls, "call"))
	}
	if len(codes) > 0 {
		fmt.Fprintln(p.a.Text)
		showCodes(p.a, "", codes)
	}
	if mine != nil {
		fmt.Fprintf(p.a.Text, "here: %s\n", mine.text())
	}
	return nil
}

// compared are the codes, and how they stand to the code here; nil if no result
// says anything of its code.
func (p *callPrinter) compared(ctx context.Context, h *here) ([]codeCount, *hereView, error) {
	codes := p.codes.list()
	known := slices.IndexFunc(codes, func(c codeCount) bool { return c.Func != "" })
	if known < 0 {
		return codes, nil, nil
	}
	of := newFunctionRow(p.of.Store, p.of.Path, time.Time{})
	mine, err := h.of(ctx, p.a, of.Function, codes[known].Func)
	if err != nil {
		return nil, nil, err
	}
	for i, c := range codes {
		codes[i].Standing, _ = stands(mine, record.Origin{Code: c.Code, Func: c.Func}, of.Version)
	}
	view := h.view(mine)
	return codes, &view, nil
}

// blobRow is one blob of a call, or of what calls share.
type blobRow struct {
	URI      string    `json:"uri"`
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
	name     string
}

func (o *lsOptions) listBlobs(ctx context.Context, a *cli.App, x roots.Address) error {
	rows := []blobRow{}
	for info, err := range x.Store.List(ctx, x.Path, "") {
		if err != nil {
			return err
		}
		name, below := strings.CutPrefix(info.Key, x.Path+"/")
		if !below && info.Key != x.Path {
			continue
		}
		if !below {
			name = path.Base(info.Key)
		}
		rows = append(rows, blobRow{URI: x.Store.URI(info.Key), Bytes: info.Size, Modified: info.ModTime, name: name})
	}
	switch {
	case len(rows) == 0:
		return roots.NotFound(ctx, x.Store, x.Path, nil)
	case a.JSON:
		return a.PrintJSON(struct {
			URI   string    `json:"uri"`
			Blobs []blobRow `json:"blobs"`
		}{x.URI(), rows})
	}
	lines := [][]string{{"size", "written", "blob"}}
	for _, row := range rows {
		lines = append(lines, []string{text.Bytes(row.Bytes), text.Ago(row.Modified, a.Now()), row.name})
	}
	fmt.Fprintln(a.Text, x.URI())
	a.Text.Table("  ", lines, ">")
	return nil
}
