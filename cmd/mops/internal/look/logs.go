package look

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
)

// Logs is mops logs.
var Logs = cli.Command{
	Name:    "logs",
	Usage:   []string{"logs [-f] [--run ID] [--raw] URI", "logs --json URI"},
	Purpose: "print what the runs of a call printed",
	Teach: `
It prints the newest run's output, or that of the run that --run names: the first
digits of a run id are enough. A URI of a run's log or record chooses that run, too.
What a worker prints is kept as it comes, so the last words of a worker that was
killed are there. Of a call that ran in the program itself, there are the lines of
mops.Logger and what it printed to mops.Output.

With -f it goes on until the run has ended. Control characters are taken out, for
the sake of your terminal; --raw leaves the bytes as they are.

--json lists the runs and how much each has printed.`,
	Example: `
mops logs amber-kite-river
mops logs -f file:///data/mops/mops1/default/forecast/train@2/amber-kite-river.9f86…
mops logs --run 2611231412 amber-kite-river`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := logsOptions{}
		flags.BoolVarP(&o.follow, "follow", "f", false, "follow until the run has ended")
		flags.StringVar(&o.run, "run", "", "the `ID` of the run, or its beginning")
		flags.BoolVar(&o.raw, "raw", false, "print the bytes as they are")
		return o.do
	},
	Complete: roots.CompleteAddress,
	Values:   map[string]cli.Completer{"run": roots.CompleteRunOfCall},
}

type logsOptions struct {
	follow bool
	raw    bool
	run    string
}

func (o *logsOptions) do(ctx context.Context, a *cli.App, line cli.Line) error {
	text, err := line.One("the address of a call or of a run")
	if err != nil {
		return err
	}
	if o.run == "" {
		o.run = runOf(text)
	}
	x, err := roots.ResolveCall(ctx, a, text)
	if err != nil {
		return err
	}
	v, err := view.ReadCall(ctx, x, a.Now())
	if err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(v.Runs)
	}
	run, err := o.choose(v)
	if err != nil {
		return err
	}
	var to io.Writer = a.Text
	if o.raw {
		to = a.Stdout
	}
	if o.follow {
		return follow(ctx, a, to, x, run.ID)
	}
	if run.LogBytes == 0 {
		return cli.NotFoundf("run %s of %s has no log: %s", run.ID, v.Words, whyNoLog(v, run))
	}
	_, err = runlog.Copy(ctx, to, x.Store, x.Place().Log(run.ID), 1)
	return err
}

func whyNoLog(v *view.Call, run *view.Run) string {
	switch {
	case run.Run != nil && run.Run.Executor == "inproc", v.Lease != nil && v.Lease.RunID == run.ID && v.Lease.Executor == "inproc":
		return "it ran in the program itself, and used neither mops.Logger nor mops.Output; what else it printed is kept with MOPS_EXECUTOR=subprocess only"
	case v.State == view.Running && v.Lease.RunID == run.ID:
		return "it has not printed anything yet; -f waits for it"
	}
	return "it printed nothing"
}

// runOf is the run that an address names below runs/.
func runOf(text string) string {
	call, err := memokey.Parse(text)
	if err != nil {
		return ""
	}
	rest, ok := strings.CutPrefix(call.Rest, "runs/")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, ".")
	return id
}

// choose finds the run whose log is meant: the one that was asked for, or else
// the newest one that printed anything, unless one is under way.
func (o *logsOptions) choose(v *view.Call) (*view.Run, error) {
	if len(v.Runs) == 0 {
		return nil, cli.NotFoundf("no run of %s is known: it was put there by hand, or its records were deleted", v.URI)
	}
	if o.run == "" {
		printed := slices.IndexFunc(v.Runs, func(run *view.Run) bool { return run.LogBytes > 0 })
		if printed < 0 || v.State == view.Running {
			printed = 0
		}
		return v.Runs[printed], nil
	}
	var found []*view.Run
	var ids []string
	for _, run := range v.Runs {
		ids = append(ids, run.ID)
		if strings.HasPrefix(run.ID, o.run) {
			found = append(found, run)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, cli.NotFoundf("%s has no run %s; its runs are %s", v.Words, o.run, strings.Join(ids, ", "))
	}
	return nil, cli.Usagef("several runs of %s begin with %s: %s", v.Words, o.run, strings.Join(ids, ", "))
}

// followInterval is how often a log is looked at: its chunks come every two seconds.
const followInterval = 500 * time.Millisecond

// lastWords is how long after the end of a run its last chunk may come: who
// reads the worker's output writes it when that has ended.
const lastWords = 3 * time.Second

// follow prints a log until its run has ended.
func follow(ctx context.Context, a *cli.App, to io.Writer, x roots.Address, run string) error {
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	var until time.Time // when no more is expected; zero while it runs
	for next := 1; ; {
		if until.IsZero() {
			ended, err := ended(ctx, a, x, run)
			if err != nil {
				return err
			}
			if !ended.IsZero() {
				until = ended.Add(lastWords)
			}
		}
		before := next
		var err error
		if next, err = runlog.Copy(ctx, to, x.Store, x.Place().Log(run), next); err != nil {
			return err
		}
		if !until.IsZero() && next == before && a.Now().After(until) {
			return nil
		}
		if err := a.Text.Flush(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ended says when a run ended; zero while it goes on. It is over when its record
// is there, or when it has its lease no longer.
func ended(ctx context.Context, a *cli.App, x roots.Address, run string) (time.Time, error) {
	v, err := view.ReadCall(ctx, x, a.Now())
	if err != nil {
		return time.Time{}, err
	}
	for _, r := range v.Runs {
		if r.ID == run && r.Run != nil {
			return r.Newest, nil
		}
	}
	if v.Lease.Held() && v.Lease.RunID == run {
		return time.Time{}, nil
	}
	return a.Now(), nil
}

// showLogTail writes the last lines of the newest log.
func (o *inspectOptions) showLogTail(ctx context.Context, a *cli.App, v *view.Call) error {
	const most = 10
	for _, run := range v.Runs {
		if run.LogBytes == 0 {
			continue
		}
		next, err := runlog.Next(ctx, v.Place.Store, v.Place.Log(run.ID))
		if err != nil {
			return err
		}
		var text bytes.Buffer // the last two chunks: one may hold a line only
		if _, err := runlog.Copy(ctx, &text, v.Place.Store, v.Place.Log(run.ID), max(next-2, 1)); err != nil {
			return err
		}
		lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
		title := "Log of run " + run.ID
		if len(lines) > most || next > 3 {
			lines = lines[max(len(lines)-most, 0):]
			title += fmt.Sprintf(", its last lines (mops logs %s shows all)", v.Words)
		}
		fmt.Fprintln(a.Text, "\n"+title)
		for _, line := range lines {
			fmt.Fprintf(a.Text, "  | %s\n", strings.TrimSuffix(line, "\r"))
		}
		return nil
	}
	return nil
}
