package look

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// Summary is mops summary.
var Summary = cli.Command{
	Name:    "summary",
	Usage:   []string{"summary [--json] [--root ROOT] [PROGRAM]", "summary [--json] RUN"},
	Purpose: "show what a run of a program did, by default the last one",
	Teach: `
It shows how many calls of each function the run made, which were hits, computed,
waited for or failed, the longest, the failures with their addresses, and what all
that took and what the hits saved. Runs are kept in the root, so it shows those of
colleagues, and those that are still going on, too; mops runs lists them.

RUN is the id of a run, the beginning of one, or latest, if need be behind
ROOT/mops1-runs/. Given the name of a program, it shows the last run of that; without
an argument, the last run of any, in the default root or that of --root.`,
	Example: `
mops summary
mops summary ./forecast
mops summary 2611231412-SkirtBusRiver
mops summary s3://bucket/mops/mops1-runs/latest`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := summaryOptions{}
		flags.StringVar(&o.root, "root", "", "the `ROOT` in which to look for runs of a program")
		return o.run
	},
	Complete: roots.CompleteRun,
	Values:   map[string]cli.Completer{"root": roots.CompleteRoot},
}

type summaryOptions struct {
	root string
}

// How many single calls a summary names.
const (
	mostLongest  = 10
	mostFailures = 100
)

// summaryView is what summary prints for programs. Times are in UTC, seconds are decimal.
type summaryView struct {
	Format    int               `json:"mops_summary"`
	ID        string            `json:"id"`
	Program   string            `json:"program"` // path of the executable
	Name      string            `json:"name"`    // of the program: see programs.Head
	Version   string            `json:"version,omitempty"`
	Revision  string            `json:"revision,omitempty"`
	Dirty     bool              `json:"dirty,omitempty"`
	Arguments int               `json:"arguments"`
	Host      string            `json:"host,omitempty"`
	User      string            `json:"user,omitempty"`
	PID       int               `json:"pid"`
	Start     time.Time         `json:"start"`
	End       time.Time         `json:"end"` // of what is known
	Live      bool              `json:"live"`
	Ended     bool              `json:"ended"`
	Exit      int               `json:"exit"`
	Cancelled bool              `json:"cancelled,omitempty"`
	Error     string            `json:"error,omitempty"`
	Root      string            `json:"root,omitempty"`
	Pipelines []string          `json:"pipelines,omitempty"`
	Config    string            `json:"config,omitempty"` // path of the config file
	Options   map[string]string `json:"options,omitempty"`
	Fields    map[string]any    `json:"fields,omitempty"`
	Unlisted  int64             `json:"unlisted,omitempty"` // calls that are counted only, since the store was away

	Totals    totalsView     `json:"totals"`
	Functions []functionView `json:"functions"`
	Longest   []callView     `json:"longest,omitempty"`
	Failures  []callView     `json:"failures,omitempty"`
	Used      programs.Cost  `json:"used"`
	Saved     programs.Cost  `json:"saved"`

	state programs.State
}

// totalsView names each number, those that are 0, too.
type totalsView struct {
	Calls            int64   `json:"calls"`
	Hits             int64   `json:"hits"`
	Computed         int64   `json:"computed"`
	Awaited          int64   `json:"awaited"`
	Failed           int64   `json:"failed"`
	Cancelled        int64   `json:"cancelled"`
	Open             int64   `json:"open,omitempty"`
	Queued           int64   `json:"queued,omitempty"`
	Pending          int64   `json:"pending,omitempty"`
	Starting         int64   `json:"starting,omitempty"`
	Running          int64   `json:"running,omitempty"`
	ComputingSeconds float64 `json:"computing_seconds"`
	LongestSeconds   float64 `json:"longest_seconds"`
}

func totalsOf(t programs.Totals) totalsView {
	return totalsView{
		Calls: t.Calls, Hits: t.Hits, Computed: t.Computed, Awaited: t.Awaited, Failed: t.Failed, Cancelled: t.Cancelled, Open: t.Open(),
		Queued: t.Queued, Pending: t.Pending, Starting: t.Starting, Running: t.Running,
		ComputingSeconds: t.ComputingSeconds, LongestSeconds: t.LongestSeconds,
	}
}

type functionView struct {
	Name string `json:"name"`
	totalsView
	Used  programs.Cost `json:"used"`
	Saved programs.Cost `json:"saved"`
}

// callView is one call that stands out.
type callView struct {
	Function string  `json:"function"`
	MemoURI  string  `json:"memo_uri"`
	Run      string  `json:"run,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
	Outcome  string  `json:"outcome"`
	Error    string  `json:"error,omitempty"` // its first line
}

func (o *summaryOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if len(line.Args) > 1 || len(line.Program) > 0 {
		return cli.Usagef("it takes at most one argument, the name of a program or a run")
	}
	name := ""
	if len(line.Args) == 1 {
		name = line.Args[0]
	}
	prices, err := pricesOf(a)
	if err != nil {
		return err
	}
	store, id, err := o.find(ctx, a, name)
	if err != nil {
		return err
	}
	run, err := programs.Read(ctx, store, id)
	if err != nil {
		return err
	}
	s := summarise(run, store, prices, storeTime(ctx, a, store))
	if a.JSON {
		return a.PrintJSON(s)
	}
	_, err = a.Text.Write([]byte(s.render(prices)))
	return err
}

// find finds the run that is meant.
func (o *summaryOptions) find(ctx context.Context, a *cli.App, name string) (*blob.Store, string, error) {
	if roots.IsRun(name) {
		if o.root != "" {
			name = strings.TrimSuffix(o.root, "/") + "/" + programs.Prefix + name
		}
		return roots.Run(ctx, a, name)
	}
	root := cli.Line{}
	if o.root != "" {
		root.Args = []string{o.root}
	}
	store, err := roots.Opened(ctx, a, root)
	if err != nil {
		return nil, "", err
	}
	of := runsOptions{newest: 1, program: name}
	found, _, err := of.list(ctx, a, store)
	switch {
	case err != nil:
		return nil, "", err
	case len(found) == 0 && name != "":
		return nil, "", cli.NotFoundf("%w of %s in %s; mops runs lists those that there are", programs.ErrNone, name, store.Root())
	case len(found) == 0:
		return nil, "", cli.NotFoundf("no program has left a run in %s yet; programs leave one when they make calls, unless they are told not to (MOPS_RUNS=off)", store.Root())
	}
	return store, found[0].entry.ID, nil
}

// summarise is the view of a run that was read.
func summarise(run *programs.Run, store *blob.Store, prices programs.Prices, now time.Time) summaryView {
	total := run.State.Total()
	s := summaryView{
		Format: 1, ID: run.ID, Program: run.Program, Name: run.Name(), Revision: run.Build.Revision, Dirty: run.Build.Dirty, Arguments: run.Arguments,
		Host: run.Host, User: run.User, PID: run.PID, Start: run.Start, End: run.At(run.State.At).UTC(), Live: run.Live(now),
		Root: cmp.Or(run.Root, store.Root()), Config: run.Config, Options: run.Options, Fields: maps.Clone(run.Fields), Unlisted: run.State.Dropped,
		Totals: totalsOf(total.Totals), Functions: []functionView{}, Used: prices.Of(total.Used), Saved: prices.Of(total.Saved), state: run.State,
	}
	if v := run.Build.Version; v != "(devel)" {
		s.Version = v
	}
	if run.Pipeline != "" {
		s.Pipelines = []string{run.Pipeline}
	}
	if len(run.State.Fields) > 0 {
		if s.Fields == nil {
			s.Fields = map[string]any{}
		}
		maps.Copy(s.Fields, run.State.Fields)
	}
	if e := run.Ended; e != nil {
		s.Ended, s.Exit, s.Cancelled, s.Error, s.End = true, e.Exit, e.Cancelled, e.Error, e.End
	}
	for _, f := range run.State.Functions {
		s.Functions = append(s.Functions, functionView{f.Name, totalsOf(f.Totals), prices.Of(f.Used), prices.Of(f.Saved)})
	}
	var longest []programs.Call
	for _, c := range run.Calls {
		if c.Outcome == "failed" && len(s.Failures) < mostFailures {
			s.Failures = append(s.Failures, outstanding(store, c))
		}
		if c.Outcome != "hit" && c.WallSeconds > 0 {
			longest = append(longest, c)
		}
	}
	slices.SortStableFunc(longest, func(a, b programs.Call) int { return cmp.Compare(b.WallSeconds, a.WallSeconds) })
	for _, c := range longest[:min(len(longest), mostLongest)] {
		s.Longest = append(s.Longest, outstanding(store, c))
	}
	return s
}

func outstanding(store *blob.Store, c programs.Call) callView {
	uri := c.Memo
	if !strings.Contains(uri, "://") && uri != "" {
		uri = store.URI(uri)
	}
	return callView{Function: c.Function, MemoURI: withoutSecrets(uri), Run: c.Run, Seconds: milliseconds(c.WallSeconds), Outcome: c.Outcome, Error: c.Error}
}

// milliseconds are seconds to the millisecond: more says nothing about a run.
func milliseconds(seconds float64) float64 {
	return float64(time.Duration(seconds*float64(time.Second)).Round(time.Millisecond)/time.Millisecond) / 1000
}

// withoutSecrets is a URI without user, password and query.
func withoutSecrets(uri string) string {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.User == nil && parsed.RawQuery == "" {
		return uri
	}
	parsed.User, parsed.RawQuery, parsed.ForceQuery = nil, "", false
	return parsed.String()
}
