package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/lease"
	"github.com/TrilliantHealth/mops-go/internal/memokey"
	"github.com/TrilliantHealth/mops-go/internal/text"
)

var lsCommand = command{
	name:    "ls",
	usage:   []string{"ls [--json] [ROOT]", "ls [--json] [--newest N] URI"},
	purpose: "list pipelines, functions and calls, with numbers, sizes and ages",
	teach: `
Without an argument it lists the functions of the default root, by pipeline: how
many calls each version has, how many of them have a result or an error, what they
take, and when something was last written. Given a pipeline, or the beginning of a
function's name, it lists what is below.

Given a function, it lists its calls, in the order of their words: how far each is,
its size and its age. --newest lists only the newest ones, newest first. Given a
call, it lists the blobs that it consists of.

A call has a result; an error, if its last run failed; is running, if somebody
holds its lease; is abandoned, if that somebody is dead; is released, if its run
ended otherwise; or is unfinished, of which nothing better is known.`,
	example: `
mops ls
mops ls file:///data/mops
mops ls mops1/default/forecast/train@2
mops ls --newest 20 mops1/default/forecast/train@2`,
	define: func(flags *flag.FlagSet) action {
		o := lsOptions{json: jsonFlag(flags)}
		flags.IntVar(&o.newest, "newest", 0, "of a function: only the `N` calls that were written last")
		return func(ctx context.Context, a *app, args, program []string) error {
			if o.newest < 1 && givenFlags(flags)["newest"] {
				return usagef("--newest takes a number from 1 on")
			}
			return o.run(ctx, a, args, program)
		}
	},
}

type lsOptions struct {
	json   *bool
	newest int // 0: all
}

func (o *lsOptions) run(ctx context.Context, a *app, args, program []string) error {
	x := address{}
	var err error
	switch {
	case len(args)+len(program) == 0:
		x.store, err = a.openDefault(ctx)
	default:
		var text string
		if text, err = one(args, program, "the address of a root, a pipeline, a function or a call"); err == nil {
			x, err = a.resolve(ctx, text)
		}
	}
	if err != nil {
		return err
	}
	if o.newest != 0 && x.what != aFunction {
		return usagef("--newest goes with the address of a function; %s is none", x.uri())
	}
	switch x.what {
	case aRoot, aGroup:
		return o.listFunctions(ctx, a, x)
	case aFunction:
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

func (o *lsOptions) listFunctions(ctx context.Context, a *app, x address) error {
	view := rootView{URI: x.uri(), Functions: []functionRow{}}
	prefix := memokey.Format + "/"
	if x.path != "" {
		prefix = x.path + "/"
	}
	rows, err := functionsBelow(ctx, x.store, prefix)
	if err == nil && len(rows) == 0 && x.path != "" {
		// A function's name without its version has its versions beside it, not below.
		rows, err = functionsBelow(ctx, x.store, x.path+"@")
	}
	if err != nil {
		return err
	}
	view.Functions = append(view.Functions, rows...)
	if x.what == aRoot {
		if view.Shared, err = totalBelow(ctx, x.store, blobsFolder+"/"); err != nil {
			return err
		}
		if view.Sessions, err = totalBelow(ctx, x.store, lease.SessionPrefix); err != nil {
			return err
		}
	}
	if len(view.Functions) == 0 && (x.what != aRoot || view.Sessions.Blobs+view.Shared.Blobs == 0) {
		if x.what == aRoot {
			return notFoundf("%s holds nothing of mops: is it the root that the program uses? MOPS_ROOT and mops.toml say which one is the default", x.uri())
		}
		return notFound(ctx, x.store, x.path, nil)
	}
	if *o.json {
		return a.printJSON(view)
	}
	o.showFunctions(a, view)
	return nil
}

// functionsBelow counts the calls of each function in one pass: keys come in
// byte order, so all blobs of a function come one after the other, and all of a
// call within them.
func functionsBelow(ctx context.Context, store *blob.Store, prefix string) (rows []functionRow, err error) {
	var function, call string // paths of the latest
	for info, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		at := strings.IndexByte(info.Key, '@')
		if at < 0 {
			continue
		}
		path, rest, ok := cutAfter(info.Key, at)
		if !ok {
			continue
		}
		if path != function {
			function, call = path, ""
			rows = append(rows, newFunctionRow(store, path, info.ModTime))
		}
		row := &rows[len(rows)-1]
		name, record, _ := strings.Cut(rest, "/")
		if name != call {
			call = name
			row.Calls++
		}
		switch record {
		case "result":
			row.Results++
		case "error":
			row.Errors++
		}
		row.Bytes += info.Size
		if info.ModTime.After(row.Newest) {
			row.Newest = info.ModTime
		}
		if info.ModTime.Before(row.Oldest) {
			row.Oldest = info.ModTime
		}
	}
	return rows, nil
}

// cutAfter cuts a key at the first slash behind a position.
func cutAfter(key string, at int) (before, after string, ok bool) {
	i := strings.IndexByte(key[at:], '/')
	if i < 0 {
		return key, "", false
	}
	return key[:at+i], key[at+i+1:], true
}

func newFunctionRow(store *blob.Store, path string, first time.Time) functionRow {
	row := functionRow{URI: store.URI(path), Oldest: first, Newest: first}
	rest := strings.TrimPrefix(path, memokey.Format+"/")
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

func (o *lsOptions) showFunctions(a *app, view rootView) {
	fmt.Fprintln(a.text, view.URI)
	rows := [][]string{{"pipeline", "function", "calls", "results", "errors", "size", "oldest", "newest"}}
	all := functionRow{Pipeline: "all"}
	pipeline := ""
	for _, f := range view.Functions {
		row := []string{f.Pipeline, f.Function + "@" + f.Version, text.Number(f.Calls), text.Number(f.Results), text.Number(f.Errors), text.Bytes(f.Bytes), text.Ago(f.Oldest, a.now()), text.Ago(f.Newest, a.now())}
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
		text.Table(a.text, "  ", rows, "  >>>>")
	} else {
		fmt.Fprintln(a.text, "  no calls")
	}
	if view.Shared != nil && view.Shared.Blobs > 0 {
		fmt.Fprintf(a.text, "  shared content: %s, %s\n", text.Count(view.Shared.Blobs, "blob"), text.Bytes(view.Shared.Bytes))
	}
}
