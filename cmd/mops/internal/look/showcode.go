package look

import (
	"cmp"
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// showCode writes by which code a call was computed, if its records say so.
func (o *inspectOptions) showCode(ctx context.Context, a *cli.App, v *view.Call) {
	made := v.Made()
	if made == nil || made.Code == nil {
		return
	}
	var header record.RunHeader
	made.Into(&header)
	fmt.Fprintln(a.Text, "\nCode")
	var f text.Facts
	f.Add("fingerprint", cmp.Or(code.Short(made.Code.Hash), "none: the function was not locked"))
	f.Add("function", made.Code.Func)
	f.Add("program", view.ProgramText(header.Run.Program))
	f.Write(a.Text, "  ")
	if o.full {
		made.Describe(ctx, v.Place.Store)
		showDescription(a, made.Code)
	}
}

// showDescription writes what code consists of.
func showDescription(a *cli.App, c *view.Code) {
	if c.Problem != "" {
		fmt.Fprintf(a.Text, "  ! %s\n", text.Clean(c.Problem))
	}
	if c.Description == nil {
		return
	}
	fmt.Fprintf(a.Text, "\nWhat the fingerprint %s stands for\n", c.Description.Hash)
	var rows [][]string
	for _, d := range c.Description.Decls {
		rows = append(rows, []string{string(d.Kind), d.Name, placeOf(&d).String(), d.Hash})
	}
	for _, callee := range c.Description.Callees {
		rows = append(rows, []string{"call", cmp.Or(callee.Name, callee.Var), "a function of mops, with a fingerprint of its own"})
	}
	for _, n := range c.Description.Notes {
		rows = append(rows, []string{"note", n.String()})
	}
	text.Table(a.Text, "  ", rows, "")
}
