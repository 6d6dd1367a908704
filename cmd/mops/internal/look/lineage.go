package look

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/lineage"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Lineage is mops lineage.
var Lineage = cli.Command{
	Name:    "lineage",
	Usage:   []string{"lineage [--json | --dot] [--back] [--depth N] [--all] URI"},
	Purpose: "show what a call was made from, and what was made from it",
	Teach: `
A call was made from the calls that its function made, hits too, and from those from
whose results the sources in its input were read; and these from others. Below that
stands what was made from it, in the same root. What it was made from is followed into
other roots, if they can be opened; one whose address has parameters is not, since that
says to which host credentials go. A call is shown by its function and
its three words, which mops inspect and others take.

It goes by the headers of records. To find what was made from a call, it reads those
of all calls of the root, two each, and says how far it is; --back leaves that out, and
reads no more than it shows. What the records cannot say is shown as not known: those
of the first release do not say it, and others may be damaged, or gone. A source counts
as read from a result if the program passed on the Source that it got, not if it opened
the file and made another. A record lists the first 100 calls that its function made;
of more, it has the number, and those that were computed for it are found all the same.

Of many calls of one function only a few are shown; --all shows all of them, and JSON
and DOT always have all. --depth 1 shows only the nearest calls. In JSON, edges go by
URI: "of" was made from "from".`,
	Example: `
mops lineage amber-kite-river
mops lineage --back --depth 1 mops1/default/forecast/train@2/amber-kite-river.9f86…
mops lineage --json URI | jq -r '.edges[] | select(.how=="read") | .from'
mops lineage --dot URI | dot -Tsvg > lineage.svg`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := lineageOptions{}
		flags.BoolVar(&o.dot, "dot", false, "print a graph for Graphviz")
		flags.BoolVar(&o.back, "back", false, "only what it was made from")
		flags.IntVar(&o.depth, "depth", 0, "show no calls that are more than `N` steps away")
		flags.BoolVar(&o.all, "all", false, "shorten nothing")
		return o.run
	},
	Complete: roots.CompleteAddress,
}

type lineageOptions struct {
	dot, back, all bool
	depth          int // 0: no limit
}

func (o *lineageOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	address, err := line.One("the address of a call")
	switch {
	case err != nil:
		return err
	case o.dot && a.JSON:
		return cli.Usagef("--dot and --json exclude each other")
	case o.depth < 1 && line.Given("depth"):
		return cli.Usagef("--depth takes a number from 1 on")
	}
	x, err := roots.ResolveCall(ctx, a, address)
	if err != nil {
		return err
	}
	var looked atomic.Int64
	status := a.Status(func() string {
		return fmt.Sprintf("%s of %s read", text.Count(looked.Load(), "call"), x.Store.Root())
	})
	open := func(ctx context.Context, root string) (*blob.Store, error) { return roots.Open(ctx, a, root) }
	var g *lineage.Graph
	if o.back {
		g, err = lineage.Back(ctx, x.Store, open, x.Path, &looked)
	} else {
		g, err = lineage.Whole(ctx, x.Store, open, &looked)
	}
	status.Stop()
	if err != nil {
		return err
	}
	v := lineageView{URI: x.URI(), Root: x.Store.Root(), Whole: !o.back, Looked: looked.Load(), graph: g, at: x.Path, seen: map[string]bool{}, known: map[lineage.Edge]bool{}}
	v.gather(o.depth)
	switch {
	case a.JSON:
		return a.PrintJSON(v)
	case o.dot:
		v.writeDot(a.Text)
	default:
		(&lineageTree{a: a, g: g, o: o}).write(v)
	}
	return nil
}

// lineageView is a call with all that it was made from, and all that was made from it.
type lineageView struct {
	URI    string         `json:"uri"`
	Root   string         `json:"root"`
	Whole  bool           `json:"whole"` // all calls of the root were looked at
	Looked int64          `json:"looked"`
	Calls  []lineageCall  `json:"calls"` // the call itself comes first
	Edges  []lineageEdge  `json:"edges"`
	Inputs []lineageInput `json:"inputs"` // sources that were read from no result

	graph *lineage.Graph
	at    string
	seen  map[string]bool // names of calls
	known map[lineage.Edge]bool
}

type lineageCall struct {
	URI        string      `json:"uri"`
	Pipeline   string      `json:"pipeline,omitempty"`
	Function   string      `json:"function,omitempty"`
	Version    string      `json:"version,omitempty"`
	Words      string      `json:"words,omitempty"`
	RunID      string      `json:"run_id,omitempty"`
	ProgramRun string      `json:"program_run,omitempty"`
	Caller     string      `json:"caller,omitempty"` // of that run
	Outcome    runs.Ending `json:"outcome,omitempty"`
	Started    time.Time   `json:"started,omitzero"`
	Unlisted   int         `json:"unlisted,omitempty"` // calls that it made, too
	Unknown    string      `json:"unknown,omitempty"`  // why it is not known, or not all, what it was made from
}

type lineageEdge struct {
	Of     string        `json:"of"`
	From   string        `json:"from"`
	How    lineage.How   `json:"how"`
	Source *sourceOfCall `json:"source,omitempty"`
}

type lineageInput struct {
	Of string `json:"of"`
	sourceOfCall
}

type sourceOfCall struct {
	Kind   string `json:"kind,omitempty"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	At     string `json:"at,omitempty"` // where it was, if it had a place of its own
}

func sourceIn(s record.SourceLocation) sourceOfCall {
	return sourceOfCall{Kind: s.Kind, SHA256: s.Hash, Bytes: s.Size, At: lineage.PlaceOf(s)}
}

// gather collects the calls and what connects them.
func (v *lineageView) gather(depth int) {
	v.Calls, v.Edges, v.Inputs = []lineageCall{}, []lineageEdge{}, []lineageInput{}
	v.call(v.at)
	v.walk(depth, v.graph.From, func(e lineage.Edge) string { return e.From }, true)
	if v.Whole {
		v.walk(depth, v.graph.Into, func(e lineage.Edge) string { return e.Of }, false)
	}
}

// walk goes from the call in one direction, level by level.
func (v *lineageView) walk(depth int, edges func(string) []lineage.Edge, end func(lineage.Edge) string, back bool) {
	visited := map[string]bool{v.at: true}
	next := []string{v.at}
	for level := 0; len(next) > 0; level++ {
		var found []string
		for _, name := range next {
			for _, s := range v.graph.Call(name).Sources {
				if back && s.From == "" {
					v.Inputs = append(v.Inputs, lineageInput{v.graph.URI(name), sourceIn(s)})
				}
			}
			if level == depth && depth > 0 {
				continue
			}
			for _, e := range edges(name) {
				v.call(end(e))
				if v.known[e] { // in a circle
					continue
				}
				v.known[e] = true
				edge := lineageEdge{Of: v.graph.URI(e.Of), From: v.graph.URI(e.From), How: e.How}
				if e.How == lineage.Read {
					s := sourceIn(e.Source)
					edge.Source = &s
				}
				v.Edges = append(v.Edges, edge)
				if !visited[end(e)] {
					visited[end(e)] = true
					found = append(found, end(e))
				}
			}
		}
		next = found
	}
}

func (v *lineageView) call(name string) {
	if v.seen[name] {
		return
	}
	v.seen[name] = true
	c := v.graph.Call(name)
	row := lineageCall{
		URI: v.graph.URI(name), Pipeline: c.Home.Pipeline, Function: c.Home.Name, Version: c.Home.Version, Words: wordsOf(c),
		RunID: c.RunID, ProgramRun: c.ProgramRun, Outcome: c.Outcome, Started: c.Started, Unlisted: c.MoreMade, Unknown: c.Unknown,
	}
	if c.Caller != "" {
		row.Caller = v.graph.URI(c.Caller)
	}
	v.Calls = append(v.Calls, row)
}

// wordsOf are the three words of a call that has an address.
func wordsOf(c *lineage.Call) string {
	if c.Home.Name == "" {
		return ""
	}
	return words.Of(c.Name)
}
