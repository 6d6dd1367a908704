package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/summary"
	"github.com/TrilliantHealth/mops-go/internal/text"
)

var summaryCommand = command{
	name:    "summary",
	usage:   []string{"summary [--json] [PROGRAM]", "summary --list [--json] [PROGRAM]"},
	purpose: "show what the last run of a program did",
	teach: `
Each run of a program under mops.Main leaves a small file in your state folder
(MOPS_STATE, else ~/.local/state/mops on Linux): how many calls of each function it
made, which were hits, computed, waited for or failed, the longest, and the failures
with their addresses. The last 200 are kept. Without the name of a program, the last
run of any is shown.`,
	example: `
mops summary
mops summary ./forecast
mops summary --list`,
	define: func(flags *flag.FlagSet) action {
		o := summaryOptions{json: jsonFlag(flags)}
		flags.BoolVar(&o.list, "list", false, "list the runs that are kept, newest first")
		return o.run
	},
}

type summaryOptions struct {
	json *bool
	list bool
}

type summaryEntry struct {
	Program string    `json:"program"`
	PID     int       `json:"pid"`
	Start   time.Time `json:"start"`
	Path    string    `json:"path"`
	Exit    int       `json:"exit"`
	Seconds float64   `json:"seconds"`
	Calls   int64     `json:"calls"`
	Failed  int64     `json:"failed"`
	Problem string    `json:"problem,omitempty"`
}

func (o *summaryOptions) run(_ context.Context, a *app, args, program []string) error {
	if len(args) > 1 || len(program) > 0 {
		return usagef("it takes at most one argument, the name of a program")
	}
	name := ""
	if len(args) == 1 {
		name = args[0]
	}
	dir, err := summary.Dir(a.lookup)
	if err != nil {
		return err
	}
	if o.list {
		return o.printList(a, dir, name)
	}
	s, _, err := summary.Latest(dir, name)
	switch {
	case errors.Is(err, summary.ErrNone):
		return notFoundError{err.Error() + "; programs leave one when they run under mops.Main and make calls"}
	case err != nil:
		return err
	case *o.json:
		return a.printJSON(s)
	}
	return summary.Render(a.text, s)
}

func (o *summaryOptions) printList(a *app, dir, program string) error {
	entries, err := summary.List(dir)
	if err != nil {
		return err
	}
	views := []summaryEntry{}
	for _, entry := range entries {
		if program != "" && !entry.Of(program) {
			continue
		}
		view := summaryEntry{Program: entry.Program, PID: entry.PID, Start: entry.Start, Path: entry.Path}
		if s, err := summary.Read(entry.Path); err != nil {
			view.Problem = err.Error()
		} else {
			view.Program, view.Exit, view.Seconds = s.Program, s.Exit, s.End.Sub(s.Start).Seconds()
			view.Calls, view.Failed = s.Totals.Calls, s.Totals.Failed
		}
		views = append(views, view)
	}
	if *o.json {
		return a.printJSON(views)
	}
	if len(views) == 0 {
		return notFoundf("no summary is kept in %s; programs leave one when they run under mops.Main and make calls", dir)
	}
	rows := [][]string{{"started", "took", "exit", "calls", "failed", "program"}}
	for _, v := range views {
		if v.Problem != "" {
			rows = append(rows, []string{text.Ago(v.Start, a.now()), "", "", "", "", v.Program + " (" + v.Problem + ")"})
			continue
		}
		rows = append(rows, []string{text.Ago(v.Start, a.now()), text.Seconds(v.Seconds),
			text.Number(v.Exit), text.Number(v.Calls), text.Number(v.Failed), v.Program})
	}
	text.Table(a.text, "", rows, " >>>>")
	return nil
}
