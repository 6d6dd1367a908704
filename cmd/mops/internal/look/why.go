package look

import (
	"context"
	"fmt"
	"strings"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Why is mops why.
var Why = cli.Command{
	Name:    "why",
	Usage:   []string{"why [--json] URI", "why [--json] URI URI"},
	Purpose: "say why a call was computed anew, by which code, or in what two calls differ",
	Teach: `
A call has its result under a key made of the function's name and version, the
versions of the functions that it calls, its types, and its input. Any of them may
have changed without your noticing: a field with the time in it, a default that
somebody edited, a version of something called.

Given two calls, it says which of these parts differ, and which fields of the input,
with both values. Given one, it looks for the calls of the same function and
pipeline that come closest to it, in all versions, and says in what they differ. It
reads the newest invocations only, 200 unless --look says otherwise, and tells how
many that were.

Of a call that has a result it says first what computed that: run, program, and code.
The version of a function stands for its code, and may have been forgotten. So it
compares with the code of the module around the current folder, or around --source
DIR, as the sources are now and, without a go command, as the lock of the package
says. It names each function, constant, type, embedded file or dependency that
differs, and what can be done. Where there is no such module, it compares with the
other results of the function.`,
	Example: `
mops why amber-kite-river
mops why amber-kite-river ocean-maple-cedar
mops why --look 5000 --show 20 amber-kite-river
mops why --source ~/src/forecast amber-kite-river`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := whyOptions{source: sourceFlag(flags)}
		flags.IntVar(&o.look, "look", explain.DefaultNewest, "compare with the `N` newest calls")
		flags.IntVar(&o.show, "show", 5, "show the `N` nearest calls")
		return o.run
	},
	Complete:  roots.CompleteAddress,
	CompleteN: 2,
}

type whyOptions struct {
	look   int
	show   int
	source *string
}

func (o *whyOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	switch {
	case len(line.Args) == 0:
		return cli.Usagef("the address of a call is missing")
	case len(line.Args) > 2 || len(line.Program) > 0:
		return cli.Usagef("it takes the addresses of one or two calls")
	case o.look < 1 || o.show < 1:
		return cli.Usagef("--look and --show take numbers from 1 on")
	}
	here, hereAt, err := callParts(ctx, a, line.Args[0])
	if err != nil {
		return err
	}
	if len(line.Args) == 1 {
		return o.nearest(ctx, a, here, hereAt)
	}
	there, thereAt, err := callParts(ctx, a, line.Args[1])
	if err != nil {
		return err
	}
	return o.compare(a, here, there, hereAt, thereAt)
}

// callParts reads what the memo key of a call was made of.
func callParts(ctx context.Context, a *cli.App, text string) (explain.Call, roots.Address, error) {
	x, err := roots.ResolveCall(ctx, a, text)
	if err != nil {
		return explain.Call{}, x, err
	}
	call, err := explain.Read(ctx, x.Place())
	if blob.Is(err, blob.NotFound) {
		return call, x, cli.NotFoundf("%s has neither an invocation nor a result: what its key was made of is not known", x.URI())
	}
	return call, x, err
}

func (o *whyOptions) compare(a *cli.App, here, there explain.Call, hereAt, thereAt roots.Address) error {
	differences := explain.Compare(here, there)
	if a.JSON {
		return a.PrintJSON(struct {
			Here        string               `json:"here"`
			There       string               `json:"there"`
			Same        bool                 `json:"same"` // one memo key
			Differences []explain.Difference `json:"differences"`
		}{hereAt.URI(), thereAt.URI(), hereAt.Call.Key == thereAt.Call.Key, differences})
	}
	var f text.Facts
	f.Add("here", hereAt.URI())
	f.Add("there", thereAt.URI())
	f.Write(a.Text, "")
	switch {
	case hereAt.Call.Key == thereAt.Call.Key && hereAt.Path == thereAt.Path && hereAt.Store.Root() == thereAt.Store.Root():
		fmt.Fprintln(a.Text, "\nThis is one call, named twice.")
	case hereAt.Call.Key == thereAt.Call.Key:
		fmt.Fprintln(a.Text, "\nThey have one key, and live in different pipelines or roots.")
	case len(differences) == 0 && (!here.HasInput || !there.HasInput):
		fmt.Fprintln(a.Text, "\nTheir inputs differ. They cannot be compared: a result that was put there by hand has no invocation.")
	default:
		fmt.Fprintf(a.Text, "\nThey differ in %s\n", text.Count(len(differences), "thing"))
		showDifferences(a, "  ", differences, len(differences), "here", "there")
	}
	return nil
}

func showDifferences(a *cli.App, indent string, differences []explain.Difference, most int, here, there string) {
	for i, d := range differences {
		if i == most {
			fmt.Fprintf(a.Text, "%s… %d more\n", indent, len(differences)-most)
			return
		}
		fmt.Fprintln(a.Text, indent+d.Between(here, there))
	}
}

// whyView is what is known of one call.
type whyView struct {
	Computed *computedView `json:"computed"` // null without a result
	explain.Search
	Near []nearView `json:"near"`
}

type nearView struct {
	explain.Near
	Code string `json:"code,omitempty"` // that computed its result
}

func (o *whyOptions) nearest(ctx context.Context, a *cli.App, call explain.Call, x roots.Address) error {
	v := whyView{}
	var err error
	if v.Computed, err = o.computed(ctx, a, x); err != nil {
		return err
	}
	if v.Search, err = explain.Find(ctx, x.Place(), call, o.look); err != nil {
		return err
	}
	v.Near = withCodes(ctx, x, v.Search.Near[:min(len(v.Search.Near), o.show)])
	if a.JSON {
		return a.PrintJSON(v)
	}
	fmt.Fprintf(a.Text, "%s@%s  %s\n  %s\n", call.Function, call.Version, words.Of(x.Path), x.URI())
	if v.Computed != nil {
		v.Computed.show(a)
	}
	showNear(a, v)
	if len(v.Pipelines) > 0 {
		fmt.Fprintf(a.Text, "\nThis very call has a result in pipeline %s.\n", strings.Join(v.Pipelines, " and in "))
	}
	if !call.HasInput {
		fmt.Fprintln(a.Text, "\nIts input is not known: it was put there by hand.")
	}
	return nil
}

// withCodes adds by which code the results of calls were computed.
func withCodes(ctx context.Context, x roots.Address, near []explain.Near) []nearView {
	views, calls := make([]nearView, len(near)), make([]explain.Listed, len(near))
	for i, n := range near {
		views[i].Near = n
		calls[i] = explain.Listed{Path: n.URI, Result: n.HasResult}
	}
	for i, by := range origins(ctx, x.Store, calls) {
		views[i].Code = by.Code
	}
	return views
}

// severalCodes says whether the results of calls are of different codes.
func (v whyView) severalCodes() bool {
	codes := map[string]bool{}
	if v.Computed != nil && v.Computed.Code != "" {
		codes[v.Computed.Code] = true
	}
	for _, near := range v.Near {
		if near.Code != "" {
			codes[near.Code] = true
		}
	}
	return len(codes) > 1
}

func showNear(a *cli.App, found whyView) {
	if found.Calls == 0 {
		fmt.Fprintln(a.Text, "\nIt is the only call of its function in this pipeline.")
		return
	}
	fmt.Fprintf(a.Text, "\nNearest of %s%s\n", text.Count(found.Calls, "other call"), looked(found.Search))
	several := found.severalCodes()
	for _, near := range found.Near {
		result := "has a result"
		if !near.HasResult {
			result = "has no result"
		}
		if several && near.Code != "" {
			result += " by code " + code.Short(near.Code)
		}
		fmt.Fprintf(a.Text, "\n  %s  %s, %s\n", words.Of(near.URI), text.Ago(near.Modified, a.Now()), result)
		showDifferences(a, "    ", near.Differences, 10, "here", "there")
	}
	if len(found.Versions) < 2 {
		return
	}
	fmt.Fprintln(a.Text, "\nVersions")
	rows := [][]string{{"version", "calls", "results", "newest"}}
	for _, v := range found.Versions {
		rows = append(rows, []string{v.Version, text.Number(v.Calls), text.Number(v.Results), text.Ago(v.Newest, a.Now())})
	}
	text.Table(a.Text, "  ", rows, " >>")
}

// looked says how much of it was read.
func looked(found explain.Search) string {
	if found.Looked == found.Calls {
		return ""
	}
	return fmt.Sprintf(" (compared with %s; --look N reads more)", text.Number(found.Looked))
}
