package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/memokey"
	"github.com/TrilliantHealth/mops-go/internal/runlog"
)

var logsCommand = command{
	name:    "logs",
	usage:   []string{"logs [-f] [--run ID] [--raw] URI", "logs --json URI"},
	purpose: "print what the runs of a call printed",
	teach: `
It prints the newest run's output, or that of the run that --run names: the first
digits of a run id are enough. A URI of a run's log or record chooses that run, too.
What a worker prints is kept as it comes, so the last words of a worker that was
killed are there. Calls that run in the program itself have no log of their own.

With -f it goes on until the run has ended. Control characters are taken out, for
the sake of your terminal; --raw leaves the bytes as they are.

--json lists the runs and how much each has printed.`,
	example: `
mops logs amber-kite-river
mops logs -f file:///data/mops/mops1/default/forecast/train@2/amber-kite-river.9f86…
mops logs --run 2611231412 amber-kite-river`,
	define: func(flags *flag.FlagSet) action {
		o := logsOptions{json: jsonFlag(flags)}
		flags.BoolVar(&o.follow, "f", false, "follow until the run has ended")
		flags.StringVar(&o.run, "run", "", "the `ID` of the run, or its beginning")
		flags.BoolVar(&o.raw, "raw", false, "print the bytes as they are")
		return o.do
	},
}

type logsOptions struct {
	json   *bool
	follow bool
	raw    bool
	run    string
}

func (o *logsOptions) do(ctx context.Context, a *app, args, program []string) error {
	text, err := one(args, program, "the address of a call or of a run")
	if err != nil {
		return err
	}
	if o.run == "" {
		o.run = runOf(text)
	}
	x, err := a.mustCall(ctx, text)
	if err != nil {
		return err
	}
	v, err := a.readCall(ctx, x)
	if err != nil {
		return err
	}
	if *o.json {
		return a.printJSON(v.Runs)
	}
	run, err := o.choose(v)
	if err != nil {
		return err
	}
	var to io.Writer = a.text
	if o.raw {
		to = a.stdout
	}
	if o.follow {
		return a.follow(ctx, to, x, run.ID)
	}
	if run.LogBytes == 0 {
		return notFoundf("run %s of %s has no log: %s", run.ID, v.Words, whyNoLog(v, run))
	}
	_, err = runlog.Copy(ctx, to, x.store, x.place().Log(run.ID), 1)
	return err
}

func whyNoLog(v *callView, run *runView) string {
	switch {
	case run.Run != nil && run.Run.Executor == "inproc", v.Lease != nil && v.Lease.RunID == run.ID && v.Lease.Executor == "inproc":
		return "it ran in the program itself, and printed where that prints"
	case v.State == running && v.Lease.RunID == run.ID:
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
func (o *logsOptions) choose(v *callView) (*runView, error) {
	if len(v.Runs) == 0 {
		return nil, notFoundf("no run of %s is known: it was put there by hand, or its records were deleted", v.URI)
	}
	if o.run == "" {
		newest := v.Runs[0]
		if newest.LogBytes > 0 || v.State == running {
			return newest, nil
		}
		for _, run := range v.Runs {
			if run.LogBytes > 0 {
				return run, nil
			}
		}
		return newest, nil
	}
	var found []*runView
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
		return nil, notFoundf("%s has no run %s; its runs are %s", v.Words, o.run, strings.Join(ids, ", "))
	}
	return nil, usagef("several runs of %s begin with %s: %s", v.Words, o.run, strings.Join(ids, ", "))
}

// followInterval is how often a log is looked at: its chunks come every two seconds.
const followInterval = 500 * time.Millisecond

// lastWords is how long after the end of a run its last chunk may come: who
// reads the worker's output writes it when that has ended.
const lastWords = 3 * time.Second

// follow prints a log until its run has ended.
func (a *app) follow(ctx context.Context, to io.Writer, x address, run string) error {
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	var until time.Time // when no more is expected; zero while it runs
	for next := 1; ; {
		if until.IsZero() {
			ended, err := a.ended(ctx, x, run)
			if err != nil {
				return err
			}
			if !ended.IsZero() {
				until = ended.Add(lastWords)
			}
		}
		before := next
		var err error
		if next, err = runlog.Copy(ctx, to, x.store, x.place().Log(run), next); err != nil {
			return err
		}
		if !until.IsZero() && next == before && a.now().After(until) {
			return nil
		}
		if err := a.text.Flush(); err != nil {
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
func (a *app) ended(ctx context.Context, x address, run string) (time.Time, error) {
	v, err := a.readCall(ctx, x)
	if err != nil {
		return time.Time{}, err
	}
	for _, r := range v.Runs {
		if r.ID == run && r.Run != nil {
			return r.newest, nil
		}
	}
	if v.Lease.held() && v.Lease.RunID == run {
		return time.Time{}, nil
	}
	return a.now(), nil
}

// showLogTail writes the last lines of the newest log.
func (o *inspectOptions) showLogTail(ctx context.Context, a *app, v *callView) error {
	const most = 10
	for _, run := range v.Runs {
		if run.LogBytes == 0 {
			continue
		}
		next, err := runlog.Next(ctx, v.place.Store, v.place.Log(run.ID))
		if err != nil {
			return err
		}
		var text bytes.Buffer // the last two chunks: one may hold a line only
		if _, err := runlog.Copy(ctx, &text, v.place.Store, v.place.Log(run.ID), max(next-2, 1)); err != nil {
			return err
		}
		lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
		title := "Log of run " + run.ID
		if len(lines) > most || next > 3 {
			lines = lines[max(len(lines)-most, 0):]
			title += fmt.Sprintf(", its last lines (mops logs %s shows all)", v.Words)
		}
		fmt.Fprintln(a.text, "\n"+title)
		for _, line := range lines {
			fmt.Fprintf(a.text, "  | %s\n", strings.TrimSuffix(line, "\r"))
		}
		return nil
	}
	return nil
}
