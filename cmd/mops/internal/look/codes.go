package look

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// codeCount says how many results one code computed.
type codeCount struct {
	Code     string    `json:"code,omitempty"` // "" if it is not known
	Func     string    `json:"func,omitempty"`
	Results  int       `json:"results"`
	Newest   time.Time `json:"newest"`
	Standing standing  `json:"standing,omitempty"` // to the code here
}

// counts are results by what made them.
type counts map[record.Origin]*codeCount

func (c counts) add(by record.Origin, written time.Time) {
	of := c[by]
	if of == nil {
		of = &codeCount{Code: by.Code, Func: by.Func}
		c[by] = of
	}
	if of.Results++; written.After(of.Newest) {
		of.Newest = written
	}
}

// list has the newest first.
func (c counts) list() []codeCount {
	list := []codeCount{}
	for _, of := range c {
		list = append(list, *of)
	}
	slices.SortFunc(list, func(a, b codeCount) int {
		return cmp.Or(b.Newest.Compare(a.Newest), strings.Compare(a.Code+a.Func, b.Code+b.Func))
	})
	return list
}

// sideBySide is how many headers are read at a time.
const sideBySide = 16

// origins reads what made the results of some calls. What cannot be read is as
// if it were not known.
func origins(ctx context.Context, store *blob.Store, calls []explain.Listed) []record.Origin {
	all := make([]record.Origin, len(calls))
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for i, c := range calls {
		call, err := memokey.Parse(c.Path)
		if !c.Result || err != nil {
			continue
		}
		group.Go(func() error {
			if header, err := (memo.Place{Store: store, Path: call.Path(), Key: call.Key}).ResultHeader(ctx); err == nil {
				all[i] = header.Origin
			}
			return nil
		})
	}
	group.Wait()
	return all
}

// countCodes says by which codes the newest results of a function were computed,
// in the pipeline of a call and at its version.
func countCodes(ctx context.Context, store *blob.Store, of memokey.Call, most int) ([]codeCount, error) {
	var newest []explain.Listed
	for c, err := range explain.List(ctx, store, path.Dir(of.Path())+"/") {
		if err != nil {
			return nil, err
		}
		if !c.Result {
			continue
		}
		if newest = append(newest, c); len(newest) >= 2*most+100 {
			newest = newestOf(newest, most)
		}
	}
	newest = newestOf(newest, most)
	c := counts{}
	for i, by := range origins(ctx, store, newest) {
		c.add(by, newest[i].Newest)
	}
	return c.list(), nil
}

func showCodes(a *cli.App, indent string, codes []codeCount) {
	rows := [][]string{{"code", "results", "newest", "here", "function"}}
	for _, c := range codes {
		rows = append(rows, []string{cmp.Or(code.Short(c.Code), "not known"), text.Number(c.Results), text.Ago(c.Newest, a.Now()), c.Standing.word(), c.Func})
	}
	text.Table(a.Text, indent, text.WithoutEmpty(rows), " >")
}

// word is a standing in a table.
func (s standing) word() string {
	switch s {
	case notCompared:
		return ""
	case declaredEqual:
		return "declared equal"
	case otherFunction:
		return "another function"
	case otherVersion:
		return "another version"
	}
	return string(s)
}
