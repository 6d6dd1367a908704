package look

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/engine/summary"
)

// Summary is mops summary.
var Summary = cli.Command{
	Name:    "summary",
	Usage:   []string{"summary [--json] [PROGRAM]", "summary --list [--json] [PROGRAM]"},
	Purpose: "show what the last run of a program did",
	Teach: `
Each run of a program under mops.Main leaves a small file in your state folder
(MOPS_STATE, else ~/.local/state/mops on Linux): how many calls of each function it
made, which were hits, computed, waited for or failed, the longest, and the failures
with their addresses. The last 200 are kept. Without the name of a program, the last
run of any is shown.`,
	Example: `
mops summary
mops summary ./forecast
mops summary --list`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := summaryOptions{}
		flags.BoolVar(&o.list, "list", false, "list the runs that are kept, newest first")
		return o.run
	},
}

type summaryOptions struct {
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

func (o *summaryOptions) run(_ context.Context, a *cli.App, line cli.Line) error {
	if len(line.Args) > 1 || len(line.Program) > 0 {
		return cli.Usagef("it takes at most one argument, the name of a program")
	}
	name := ""
	if len(line.Args) == 1 {
		name = line.Args[0]
	}
	dir, err := summary.Dir(a.Lookup)
	if err != nil {
		return err
	}
	if o.list {
		return o.printList(a, dir, name)
	}
	s, _, err := summary.Latest(dir, name)
	switch {
	case errors.Is(err, summary.ErrNone):
		return cli.NotFoundf("%w; programs leave one when they run under mops.Main and make calls", err)
	case err != nil:
		return err
	case a.JSON:
		return a.PrintJSON(s)
	}
	return summary.Render(a.Text, s)
}

func (o *summaryOptions) printList(a *cli.App, dir, program string) error {
	entries, err := summary.List(dir, program)
	if err != nil {
		return err
	}
	views := []summaryEntry{}
	for _, entry := range entries {
		view := summaryEntry{Program: entry.Program, PID: entry.PID, Start: entry.Start, Path: entry.Path}
		if s, err := summary.Read(entry.Path); err != nil {
			view.Problem = err.Error()
		} else {
			view.Program, view.Exit, view.Seconds = s.Program, s.Exit, s.End.Sub(s.Start).Seconds()
			view.Calls, view.Failed = s.Totals.Calls, s.Totals.Failed
		}
		views = append(views, view)
	}
	if a.JSON {
		return a.PrintJSON(views)
	}
	if len(views) == 0 {
		return cli.NotFoundf("no summary is kept in %s; programs leave one when they run under mops.Main and make calls", dir)
	}
	rows := [][]string{{"started", "took", "exit", "calls", "failed", "program"}}
	for _, v := range views {
		if v.Problem != "" {
			rows = append(rows, []string{text.Ago(v.Start, a.Now()), "", "", "", "", v.Program + " (" + v.Problem + ")"})
			continue
		}
		rows = append(rows, []string{text.Ago(v.Start, a.Now()), text.Seconds(v.Seconds),
			text.Number(v.Exit), text.Number(v.Calls), text.Number(v.Failed), v.Program})
	}
	text.Table(a.Text, "", rows, " >>>>")
	return nil
}
