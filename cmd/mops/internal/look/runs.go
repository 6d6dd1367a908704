package look

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"time"

	flag "github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// Runs is mops runs.
var Runs = cli.Command{
	Name:    "runs",
	Usage:   []string{"runs [--json] [--newest N] [--program PROGRAM] [--cost] [ROOT]"},
	Purpose: "list the runs of programs: who ran what, and what it did",
	Teach: `
Each run of a program that makes calls is kept in its root, where all who share the
root see it, while it goes on, too. A run that is live has written something lately;
one that is "broken off" has neither ended nor done so: it was killed, or its machine
is away. Newest runs come first.

--cost adds what the calls that were computed took, in CPU-hours, GiB-hours of memory
and GPU-hours, and, behind "saved", what the hits had once taken: what this run did
not spend since the results were there. Below stands the same by function, for all
runs that are listed. What is counted is what workers asked for, for as long as they
ran; where nothing was asked for, what they used. In money it is by the table [prices]
of the config file.

mops summary RUN shows one of them; mops gc --runs AGE removes old ones. RUN is an id,
the beginning of one, or latest.`,
	Example: `
mops runs
mops runs s3://bucket/mops
mops runs --program forecast --newest 5
mops runs --cost`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := runsOptions{}
		flags.IntVar(&o.newest, "newest", 20, "only the `N` runs that began last; 0 is all")
		flags.StringVar(&o.program, "program", "", "only runs of this `PROGRAM`, a path or the last word of one")
		flags.BoolVar(&o.cost, "cost", false, "add what was spent and saved")
		return o.run
	},
	Complete: roots.CompleteRoot,
}

type runsOptions struct {
	newest  int
	program string
	cost    bool
}

// runRow is a run in the list.
type runRow struct {
	ID        string         `json:"id"`
	Path      string         `json:"path"` // its URI
	Program   string         `json:"program"`
	Name      string         `json:"name"` // of the program: see programs.Head
	PID       int            `json:"pid"`
	Host      string         `json:"host,omitempty"`
	User      string         `json:"user,omitempty"`
	Start     time.Time      `json:"start"`
	Live      bool           `json:"live"`
	Ended     bool           `json:"ended"`
	Exit      int            `json:"exit"`
	Cancelled bool           `json:"cancelled,omitempty"`
	Seconds   float64        `json:"seconds"`
	Written   time.Time      `json:"written"` // when it last wrote something, by the store's clock
	Calls     int64          `json:"calls"`
	Hits      int64          `json:"hits"`
	Computed  int64          `json:"computed"`
	Awaited   int64          `json:"awaited,omitempty"` // somebody else computed them
	Failed    int64          `json:"failed"`
	Stopped   int64          `json:"cancelled_calls,omitempty"`
	Open      int64          `json:"open"`
	Used      *programs.Cost `json:"used,omitempty"`
	Saved     *programs.Cost `json:"saved,omitempty"`
	Functions []functionCost `json:"functions,omitempty"`
	Fields    map[string]any `json:"fields,omitempty"`
	Problem   string         `json:"problem,omitempty"`
}

func (o *runsOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if o.newest < 0 {
		return cli.Usagef("--newest takes a number from 0 on")
	}
	store, err := roots.Opened(ctx, a, line)
	if err != nil {
		return err
	}
	prices, err := pricesOf(a)
	if err != nil {
		return err
	}
	rows, more, err := o.list(ctx, a, store)
	if err != nil {
		return err
	}
	views, states := []runRow{}, []programs.State{}
	for _, r := range rows {
		views = append(views, r.row(a, store, prices, o.cost))
		states = append(states, r.state)
	}
	if a.JSON {
		return a.PrintJSON(views)
	}
	if len(views) == 0 {
		of := ""
		if o.program != "" {
			of = " of " + o.program
		}
		return cli.NotFoundf("%w%s in %s; programs leave one when they make calls, unless they are told not to (MOPS_RUNS=off)", programs.ErrNone, of, store.Root())
	}
	o.show(a, views, prices, more)
	if o.cost {
		showCost(a.Text, "What these runs took, and what their hits saved", programs.Merged(states), prices)
	}
	return nil
}

// outline is what a list tells of a run without reading its calls.
type outline struct {
	entry programs.Entry
	head  programs.Head
	end   *programs.End
	state programs.State
	live  bool
	err   error
}

// list reads the newest runs, some at a time until there are enough of the program.
func (o *runsOptions) list(ctx context.Context, a *cli.App, store *blob.Store) (rows []outline, more bool, err error) {
	entries, err := programs.List(ctx, store)
	if err != nil {
		return nil, false, err
	}
	now := storeTime(ctx, a, store)
	enough := cmp.Or(o.newest, len(entries))
	for len(entries) > 0 && len(rows) < enough {
		n := min(len(entries), max(enough, 16))
		some := make([]outline, n)
		group, within := errgroup.WithContext(ctx)
		group.SetLimit(16)
		for i, e := range entries[:n] {
			group.Go(func() error { some[i] = readOutline(within, store, e, now); return nil })
		}
		group.Wait()
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		entries = entries[n:]
		for _, r := range some {
			switch {
			case errors.Is(r.err, programs.ErrNone): // being removed
			case o.program != "" && !isProgram(r.head, o.program):
			default:
				rows = append(rows, r)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b outline) int { return b.head.Start.Compare(a.head.Start) })
	return rows[:min(len(rows), enough)], len(rows) > enough || len(entries) > 0, nil
}

// storeTime is the time by the store's clock, as near as may be.
func storeTime(ctx context.Context, a *cli.App, store *blob.Store) time.Time {
	if now, ok, err := store.Now(ctx); ok && err == nil && !store.IsLocal() {
		return now
	}
	return a.Now()
}

func isProgram(head programs.Head, wanted string) bool {
	if filepath.IsAbs(wanted) {
		return head.Program == filepath.Clean(wanted)
	}
	wanted = filepath.Base(wanted)
	return filepath.Base(head.Program) == wanted || path.Base(head.Name()) == wanted
}

func readOutline(ctx context.Context, store *blob.Store, e programs.Entry, now time.Time) (r outline) {
	r.entry, r.live = e, e.Live(now)
	if r.head, r.err = programs.ReadHead(ctx, store, e.ID); r.err != nil {
		return r
	}
	r.state, r.end, r.err = programs.ReadState(ctx, store, e)
	return r
}

func (r outline) row(a *cli.App, store *blob.Store, prices programs.Prices, cost bool) runRow {
	v := runRow{
		ID: r.entry.ID, Path: store.URI(programs.Prefix + r.entry.ID), Program: r.head.Program, Name: r.head.Name(), PID: r.head.PID, Host: r.head.Host, User: r.head.User,
		Start: r.head.Start, Live: r.live, Written: r.entry.Written, Seconds: r.state.At, Fields: r.head.Fields,
	}
	if r.err != nil {
		v.Problem = r.err.Error()
		return v
	}
	if r.end != nil {
		v.Ended, v.Exit, v.Cancelled, v.Seconds = true, r.end.Exit, r.end.Cancelled, r.end.End.Sub(r.head.Start).Seconds()
	}
	total := r.state.Total()
	v.Calls, v.Hits, v.Computed, v.Awaited = total.Calls, total.Hits, total.Computed, total.Awaited
	v.Failed, v.Stopped, v.Open = total.Failed, total.Cancelled, total.Open()
	if cost {
		used, saved := prices.Of(total.Used), prices.Of(total.Saved)
		v.Used, v.Saved, v.Functions = &used, &saved, costOf(r.state, prices)
	}
	return v
}

// how says how far a run is.
func (v runRow) how() string {
	switch {
	case v.Ended && v.Cancelled:
		return fmt.Sprintf("exit %d, cancelled", v.Exit)
	case v.Ended:
		return fmt.Sprintf("exit %d", v.Exit)
	case v.Live:
		return "live"
	}
	return "broken off"
}

func (o *runsOptions) show(a *cli.App, views []runRow, prices programs.Prices, more bool) {
	rows := [][]string{{"run", "started", "took", "", "calls", "hits", "computed", "awaited", "failed", "cancelled", "open"}}
	align := "  > >>>>>>>"
	if o.cost {
		rows[0] = append(append(rows[0], prices.Columns("")...), prices.Columns("saved ")...)
		align += ">>>>>>>>"
	}
	rows[0] = append(rows[0], "who", "program")
	for _, v := range views {
		row := []string{v.ID, text.Ago(v.Start, a.Now()), text.Seconds(v.Seconds), v.how()}
		for _, n := range []int64{v.Calls, v.Hits, v.Computed, v.Awaited, v.Failed, v.Stopped, v.Open} {
			cell := ""
			if n > 0 {
				cell = text.Number(n)
			}
			row = append(row, cell)
		}
		if o.cost {
			row = append(row, v.costs(prices)...)
		}
		who := v.User + "@" + v.Host
		row = append(row, who, text.Clean(v.Name))
		if v.Problem != "" {
			row[len(row)-1] += " (" + v.Problem + ")"
		}
		rows = append(rows, row)
	}
	a.Text.Table("", text.WithoutEmpty(rows), align)
	if more {
		fmt.Fprintln(a.Text, "and older ones; --newest says how many to show")
	}
}

// pricesOf are those of the config file.
func pricesOf(a *cli.App) (programs.Prices, error) {
	file, err := roots.ConfigFile(a)
	if err != nil {
		return programs.Prices{}, cli.Usage(err)
	}
	return file.Prices, nil
}
