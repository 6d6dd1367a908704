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

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
)

// callRow is a call in a list.
type callRow struct {
	URI   string     `json:"uri"`
	Words string     `json:"words"`
	State view.State `json:"state"`
	explain.Listed
}

// mostLeases is how many leases a list reads to tell running calls from
// abandoned ones. A fan-out may have more; then the rest is unfinished.
const mostLeases = 1000

// listCalls lists the calls of a function as they come: a hundred thousand take
// no more memory than one, unless they are to be sorted.
func (o *lsOptions) listCalls(ctx context.Context, a *cli.App, x roots.Address) error {
	calls := callExaminer{store: x.Store, sights: view.Sights{}}
	out := o.printer(a, x)
	n := 0
	var newest []callRow
	for call, err := range explain.List(ctx, x.Store, x.Path+"/") {
		if err != nil {
			return err
		}
		if !call.Folder {
			continue
		}
		n++
		row := callRow{URI: x.Store.URI(call.Path), Words: words.Of(call.Path), Listed: call}
		if o.newest > 0 {
			newest = append(newest, row)
			if len(newest) >= 2*o.newest+100 {
				newest = newestOf(newest, o.newest)
			}
			continue
		}
		if err := calls.examine(ctx, &row); err != nil {
			return err
		}
		if err := out.call(row); err != nil {
			return err
		}
	}
	for _, row := range newestOf(newest, o.newest) {
		if err := calls.examine(ctx, &row); err != nil {
			return err
		}
		if err := out.call(row); err != nil {
			return err
		}
	}
	if n == 0 {
		return roots.NotFound(ctx, x.Store, x.Path, nil)
	}
	return out.end(n)
}

func newestOf(rows []callRow, n int) []callRow {
	slices.SortFunc(rows, func(a, b callRow) int { return cmp.Or(b.Newest.Compare(a.Newest), strings.Compare(a.Path, b.Path)) })
	return rows[:min(len(rows), n)]
}

// callExaminer finds out how far calls are.
type callExaminer struct {
	store  *blob.Store
	sights view.Sights
	leases int // read so far
}

// examine says how far a call is. Only one without a result needs a look at its lease.
func (l *callExaminer) examine(ctx context.Context, row *callRow) error {
	row.State = view.StateOf(row.Result, row.Error, nil)
	if row.Result || !row.Lease || l.leases >= mostLeases {
		return nil
	}
	l.leases++
	held, wrong, err := view.ReadLease(ctx, l.store, row.Path+"/lease", l.sights, time.Time{})
	if err != nil || wrong != nil {
		return ctx.Err() // a lease that cannot be read says nothing
	}
	row.State = view.StateOf(false, row.Error, held)
	return nil
}

// callPrinter writes calls one by one, as text or as one JSON object.
type callPrinter struct {
	a       *cli.App
	json    bool
	printed int
}

func (o *lsOptions) printer(a *cli.App, x roots.Address) *callPrinter {
	p := &callPrinter{a: a, json: a.JSON}
	if p.json {
		uri, _ := json.Marshal(x.URI())
		fmt.Fprintf(a.Text, "{\n  \"uri\": %s,\n  \"calls\": [", cli.EscapeControls(uri))
	}
	return p
}

func (p *callPrinter) call(row callRow) error {
	if !p.json {
		if p.printed == 0 {
			fmt.Fprintf(p.a.Text, "%-10s  %9s  %-18s  %s\n", "state", "size", "newest", "call")
		}
		p.printed++
		_, err := fmt.Fprintf(p.a.Text, "%-10s  %9s  %-18s  %s\n", row.State, text.Bytes(row.Bytes), text.Ago(row.Newest, p.a.Now()), path.Base(row.Path))
		return err
	}
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	separator := ","
	if p.printed == 0 {
		separator = ""
	}
	p.printed++
	_, err = fmt.Fprintf(p.a.Text, "%s\n    %s", separator, cli.EscapeControls(text))
	return err
}

func (p *callPrinter) end(calls int) error {
	var err error
	switch {
	case p.json:
		_, err = fmt.Fprint(p.a.Text, "\n  ]\n}\n")
	case p.printed < calls:
		_, err = fmt.Fprintf(p.a.Text, "the newest %s of %s\n", text.Number(p.printed), text.Count(calls, "call"))
	default:
		_, err = fmt.Fprintf(p.a.Text, "%s\n", text.Count(calls, "call"))
	}
	return err
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
	text.Table(a.Text, "  ", lines, ">")
	return nil
}
