package look

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// callRow is a call in a list.
type callRow struct {
	URI    string     `json:"uri"`
	Words  string     `json:"words"`
	State  view.State `json:"state"`
	Bytes  int64      `json:"bytes"`
	Oldest time.Time  `json:"oldest"`
	Newest time.Time  `json:"newest"`

	path                  string
	folder                bool // as every call is
	result, failed, lease bool
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
	for row, err := range callsBelow(ctx, x.Store, x.Path+"/") {
		if err != nil {
			return err
		}
		if !row.folder {
			continue
		}
		n++
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
	slices.SortFunc(rows, func(a, b callRow) int { return cmp.Or(b.Newest.Compare(a.Newest), strings.Compare(a.path, b.path)) })
	return rows[:min(len(rows), n)]
}

// callsBelow yields the calls below a prefix, as far as the list of their blobs says
// how they are: keys come in byte order, so all blobs of a call come one after the
// other. A blob beside the calls of a function comes in a row of its own.
func callsBelow(ctx context.Context, store *blob.Store, prefix string) iter.Seq2[callRow, error] {
	return func(yield func(callRow, error) bool) {
		var row callRow
		for info, err := range store.List(ctx, prefix, "") {
			if err != nil {
				yield(row, err)
				return
			}
			at := strings.IndexByte(info.Key, '@')
			function, rest, ok := strings.Cut(info.Key[max(at, 0):], "/")
			if at < 0 || !ok {
				continue
			}
			name, record, inFolder := strings.Cut(rest, "/")
			if path := info.Key[:at] + function + "/" + name; path != row.path {
				if row.path != "" && !yield(row, nil) {
					return
				}
				words, _, _ := strings.Cut(name, ".")
				row = callRow{URI: store.URI(path), Words: words, Oldest: info.ModTime, Newest: info.ModTime, path: path}
			}
			row.folder = row.folder || inFolder
			switch record {
			case "result":
				row.result = true
			case "error":
				row.failed = true
			case "lease":
				row.lease = true
			}
			row.Bytes += info.Size
			if info.ModTime.After(row.Newest) {
				row.Newest = info.ModTime
			}
			if info.ModTime.Before(row.Oldest) {
				row.Oldest = info.ModTime
			}
		}
		if row.path != "" {
			yield(row, nil)
		}
	}
}

// callExaminer finds out how far calls are.
type callExaminer struct {
	store  *blob.Store
	sights view.Sights
	leases int // read so far
}

// examine says how far a call is. Only one without a result needs a look at its lease.
func (l *callExaminer) examine(ctx context.Context, row *callRow) error {
	row.State = view.StateOf(row.result, row.failed, nil)
	if row.result || !row.lease || l.leases >= mostLeases {
		return nil
	}
	l.leases++
	held, wrong, err := view.ReadLease(ctx, l.store, row.path+"/lease", l.sights, time.Time{})
	if err != nil || wrong != nil {
		return ctx.Err() // a lease that cannot be read says nothing
	}
	row.State = view.StateOf(false, row.failed, held)
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
		_, err := fmt.Fprintf(p.a.Text, "%-10s  %9s  %-18s  %s\n", row.State, text.Bytes(row.Bytes), text.Ago(row.Newest, p.a.Now()), path.Base(row.path))
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
