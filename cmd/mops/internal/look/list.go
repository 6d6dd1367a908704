// Package look has the commands that show what lies in a store, and one that compares
// it with what programs compute now. But for lease --break, they write nothing.
package look

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// List is mops ls.
var List = cli.Command{
	Name: "ls",
	Usage: []string{
		"ls [--json] [ROOT]", "ls [--json] [--newest N] [--code] URI",
		"ls [--where CONDITION] [--show EXPRESSIONS] [--since AGE] [--failed] [--newest N] [URI]",
	},
	Purpose: "list pipelines, functions and calls, with numbers, sizes and ages",
	Teach: `
Without an argument it lists the functions of the default root, by pipeline: how
many calls each version has, how many of them have a result or an error, what they
take, and when something was last written. Given a pipeline, or the beginning of a
function's name, it lists what is below.

Given a function, it lists its calls, in the order of their words: how far each is,
its size and its age. --newest lists only the newest ones, newest first. Given a
call, it lists the blobs that it consists of. --code adds by which code each result
was computed, and which of these codes is the one of the module around the current
folder, or around --source DIR; it reads the beginning of each result.

--where, --show, --since and --failed find calls by what is in them, of a function, a
pipeline or a whole root: --where 'In.City == "Oslo" && Out.Degrees > 20'. What can be
asked for is In and Out, as the program declared them; Err, the message of the last
failed run; State; Run (Started, Ended, Wall, CPU, PeakMemory, MemoryLimit, CPUs, GPUs,
MemoryRequest, Spot, Host, User, Executor, Attempt, Outcome, Reason, Program, ID);
Fields, what the program recorded; Function, Version, Pipeline, Code, Func, URI, Words,
Bytes, Oldest, Newest, Injected.

The language is that of expr-lang.org: and, or, not, in, contains, startsWith, matches,
len(), any(In.Items, .Price > 3). Times are written date("2026-01-31"), durations
duration("1h30m") or duration("2d"), huge integers bigint("1000…"); files and folders
have a Hash and a Size; hex() makes a string of bytes. A field that is nil is neither
more nor less than anything. What a function's types do not have, its calls do not
meet; a field that no call has is an error, but for one between quotes, as the key of a
map: In.Labels["zone"].

Outputs are read only if they are asked for. Records that cannot be read are left out,
and counted at the end. A table cuts long values; --json and --csv do not. --newest
takes the newest of the calls that were found.

A call has a result; an error, if its last run failed; is running, if somebody
holds its lease; is abandoned, if that somebody is dead; is released, if its run
ended otherwise; or is unfinished, of which nothing better is known.`,
	Example: `
mops ls
mops ls file:///data/mops
mops ls mops1/default/forecast/train@2
mops ls --newest 20 mops1/default/forecast/train@2
mops ls --code mops1/default/forecast/train@2
mops ls --where 'In.City == "Oslo" && Out.Degrees > 20' --show In.Date,Out mops1/default/forecast
mops ls --failed --since 2d --show Err,Run.Host
mops ls --where 'Run.Wall > duration("1h")' --show 'In, Run.PeakMemory' --csv > slow.csv`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := lsOptions{source: sourceFlag(flags)}
		flags.IntVar(&o.newest, "newest", 0, "only the `N` calls that were written last, of a function or of those found")
		flags.StringVar(&o.where, "where", "", "only calls that meet this `CONDITION`")
		flags.Func("show", "these `EXPRESSIONS` of each call, with commas between", o.show.Set)
		flags.Func("since", "only calls of which something was written in this `AGE`: 2d, 12h", o.since.Set)
		flags.BoolVar(&o.failed, "failed", false, "only calls whose last run failed")
		flags.BoolVar(&o.csv, "csv", false, "print calls as CSV")
		flags.BoolVar(&o.code, "code", false, "of a function: by which code the results were computed")
		return o.run
	},
	Complete: roots.CompleteAddress,
}

type lsOptions struct {
	newest int // 0: all
	code   bool
	source *string

	where  string // with one of these, it lists calls by what is in them: see finder
	show   expressions
	since  text.Age
	failed bool
	csv    bool
}

// finds reports whether calls are to be found by what is in them.
func (o *lsOptions) finds(line cli.Line) bool {
	return o.where != "" || len(o.show) > 0 || line.Given("since") || o.failed || o.csv
}

func (o *lsOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if o.newest < 1 && line.Given("newest") {
		return cli.Usagef("--newest takes a number from 1 on")
	}
	if o.code && o.finds(line) {
		return cli.Usagef("--code does not go with --where, --show, --since, --failed and --csv; --show Code shows the code of each result")
	}
	if o.csv && a.JSON {
		return cli.Usagef("--csv is another way to print than JSON and YAML: take one")
	}
	x := roots.Address{}
	var err error
	switch {
	case line.Empty():
		x.Store, err = roots.Default(ctx, a)
	default:
		var text string
		if text, err = line.One("the address of a root, a pipeline, a function or a call"); err == nil {
			x, err = roots.Resolve(ctx, a, text)
		}
	}
	if err != nil {
		return err
	}
	if o.finds(line) {
		switch x.Kind {
		case roots.KindRoot, roots.KindGroup, roots.KindFunction:
			return o.find(ctx, a, x)
		}
		return cli.Usagef("--where, --show, --since, --failed and --csv list calls of a root, a pipeline or a function; %s is one call, or a part of it", x.URI())
	}
	if o.newest != 0 && x.Kind != roots.KindFunction {
		return cli.Usagef("--newest goes with the address of a function; %s is none", x.URI())
	}
	if o.code && x.Kind != roots.KindFunction {
		return cli.Usagef("--code goes with the address of a function; %s is none", x.URI())
	}
	switch x.Kind {
	case roots.KindRoot, roots.KindGroup:
		return o.listFunctions(ctx, a, x)
	case roots.KindFunction:
		return o.listCalls(ctx, a, x)
	}
	return o.listBlobs(ctx, a, x)
}

// functionRow is what one version of a function has in one pipeline.
type functionRow struct {
	URI      string    `json:"uri"`
	Pipeline string    `json:"pipeline"`
	Function string    `json:"function"`
	Version  string    `json:"version"`
	Calls    int       `json:"calls"`
	Results  int       `json:"results"`
	Errors   int       `json:"errors"` // a call may have both
	Bytes    int64     `json:"bytes"`
	Oldest   time.Time `json:"oldest"`
	Newest   time.Time `json:"newest"`
}

type rootView struct {
	URI       string        `json:"uri"`
	Functions []functionRow `json:"functions"`
	Shared    *total        `json:"shared,omitempty"`   // content that calls share
	Sessions  *total        `json:"sessions,omitempty"` // of processes, past and present
}

type total struct {
	Blobs int64 `json:"blobs"`
	Bytes int64 `json:"bytes"`
}

func (o *lsOptions) listFunctions(ctx context.Context, a *cli.App, x roots.Address) error {
	view := rootView{URI: x.URI(), Functions: []functionRow{}}
	prefix := memokey.Format + "/"
	if x.Path != "" {
		prefix = x.Path + "/"
	}
	rows, err := functionsBelow(ctx, x.Store, prefix)
	if err == nil && len(rows) == 0 && x.Path != "" {
		// A function's name without its version has its versions beside it, not below.
		rows, err = functionsBelow(ctx, x.Store, x.Path+"@")
	}
	if err != nil {
		return err
	}
	view.Functions = append(view.Functions, rows...)
	if x.Kind == roots.KindRoot {
		if view.Shared, err = totalBelow(ctx, x.Store, roots.BlobsFolder+"/"); err != nil {
			return err
		}
		if view.Sessions, err = totalBelow(ctx, x.Store, lease.SessionPrefix); err != nil {
			return err
		}
	}
	if len(view.Functions) == 0 && (x.Kind != roots.KindRoot || view.Sessions.Blobs+view.Shared.Blobs == 0) {
		if x.Kind == roots.KindRoot {
			return cli.NotFoundf("%s holds nothing of mops: is it the root that the program uses? MOPS_ROOT and mops.toml say which one is the default", x.URI())
		}
		return roots.NotFound(ctx, x.Store, x.Path, nil)
	}
	if a.JSON {
		return a.PrintJSON(view)
	}
	o.showFunctions(a, view)
	return nil
}

// functionsBelow counts the calls of each function in one pass: all of a function
// come one after the other.
func functionsBelow(ctx context.Context, store *blob.Store, prefix string) (rows []functionRow, err error) {
	function := "" // the path of the latest
	for call, err := range explain.List(ctx, store, prefix) {
		if err != nil {
			return nil, err
		}
		if at := path.Dir(call.Path); at != function {
			function = at
			rows = append(rows, newFunctionRow(store, at, call.Oldest))
		}
		row := &rows[len(rows)-1]
		row.Calls++
		if call.Result {
			row.Results++
		}
		if call.Error {
			row.Errors++
		}
		row.Bytes += call.Bytes
		if call.Newest.After(row.Newest) {
			row.Newest = call.Newest
		}
		if call.Oldest.Before(row.Oldest) {
			row.Oldest = call.Oldest
		}
	}
	return rows, nil
}

func newFunctionRow(store *blob.Store, at string, first time.Time) functionRow {
	row := functionRow{URI: store.URI(at), Oldest: first, Newest: first}
	rest := strings.TrimPrefix(at, memokey.Format+"/")
	row.Pipeline, rest, _ = strings.Cut(rest, "/")
	row.Function, row.Version, _ = strings.Cut(rest, "@")
	return row
}

func totalBelow(ctx context.Context, store *blob.Store, prefix string) (*total, error) {
	t := new(total)
	for info, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return t, err
		}
		t.Blobs++
		t.Bytes += info.Size
	}
	return t, nil
}

func (o *lsOptions) showFunctions(a *cli.App, view rootView) {
	fmt.Fprintln(a.Text, view.URI)
	rows := [][]string{{"pipeline", "function", "calls", "results", "errors", "size", "oldest", "newest"}}
	all := functionRow{Pipeline: "all"}
	pipeline := ""
	for _, f := range view.Functions {
		row := []string{f.Pipeline, f.Function + "@" + f.Version, text.Number(f.Calls), text.Number(f.Results), text.Number(f.Errors), text.Bytes(f.Bytes), text.Ago(f.Oldest, a.Now()), text.Ago(f.Newest, a.Now())}
		if f.Pipeline == pipeline {
			row[0] = ""
		}
		pipeline = f.Pipeline
		rows = append(rows, row)
		all.Calls += f.Calls
		all.Results += f.Results
		all.Errors += f.Errors
		all.Bytes += f.Bytes
	}
	if len(view.Functions) > 1 {
		rows = append(rows, []string{"all", "", text.Number(all.Calls), text.Number(all.Results), text.Number(all.Errors), text.Bytes(all.Bytes), "", ""})
	}
	if len(view.Functions) > 0 {
		a.Text.Table("  ", rows, "  >>>>")
	} else {
		fmt.Fprintln(a.Text, "  no calls")
	}
	if view.Shared != nil && view.Shared.Blobs > 0 {
		fmt.Fprintf(a.Text, "  shared content: %s, %s\n", text.Count(view.Shared.Blobs, "blob"), text.Bytes(view.Shared.Bytes))
	}
}
