package look

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Replay is mops replay.
var Replay = cli.Command{
	Name:    "replay",
	Usage:   []string{"replay [--source DIR] URI -- PROGRAM [ARGS]", "replay --json URI -- PROGRAM [ARGS]"},
	Purpose: "run a stored call again here, under a debugger or a profiler",
	Teach: `
It starts a command, and the process in it that turns out to be your program runs
the call with its stored input, on its main goroutine, and then ends: with 0 if the
function returned a result, with 1 if it returned an error, by the panic if it
panicked. The command may be the program, or a debugger or profiler that starts the
program: the replay travels in the environment. Build the program with
-gcflags='all=-N -l' to see all variables in a debugger.

Nothing is written to the store: no lease, no record, no result. Calls that the
function makes use results that are there; others run in the same process, and
nothing keeps their results. Time limits do not hold. What the function writes to
its OutDir stays, and the place is printed.

In the end it says on standard error whether the outcome is the stored one: the
result, or without a result the end of the last run. It also says what differs
from then: the build, the function's code, the machine. Where the program was built
in the module around the current folder, or around --source DIR, edits since the
function was locked count, too. The exit code is that of the command, and 1 if no
process of it ran the call.

The program may be newer or older than the stored call, as long as it has the
function and the input still fits. Ctrl-C is left to the command. With --json,
what the command prints goes to standard error.`,
	Example: `
mops replay van-juniper-yonder -- ./weather
mops replay van-juniper-yonder -- dlv exec ./weather
mops replay van-juniper-yonder -- perf record ./weather`,
	Define: func(flags *flag.FlagSet) cli.Action {
		return (&replayOptions{source: sourceFlag(flags)}).run
	},
	Complete: roots.CompleteAddress,
}

type replayOptions struct{ source *string }

// comparison says how a replay stands to what is stored.
type comparison string

const (
	sameOutcome  comparison = "same"
	otherOutcome comparison = "differs"
	notStored    comparison = "not_stored" // it ended, and there is nothing to compare with
	unfinished   comparison = "unfinished" // it began, and its process ended first
	neverBegan   comparison = "not_run"
)

type replayView struct {
	URI         string               `json:"uri"`
	Outcome     comparison           `json:"outcome"`
	Text        string               `json:"text"`
	Then        *ending              `json:"then"` // null if nothing is stored
	Now         *ending              `json:"now"`  // null if it did not end
	Differences []explain.Difference `json:"differences"`
	Compared    []compared           `json:"compared"`
	Changes     []changeView         `json:"changes"` // in the function's code
	Notes       []string             `json:"notes"`
	OutDirs     []string             `json:"out_dirs"`
	Exit        int                  `json:"exit_code"`

	began  bool
	stored ending // as far as anything is known of an earlier run, or of who made the call
}

// ending is how a run of the call ended.
type ending struct {
	Outcome runs.Ending `json:"outcome"`
	Message string      `json:"message,omitempty"` // of a failure
	Run     record.Run  `json:"run"`
	RunID   string      `json:"run_id"`

	origin  record.Origin
	failure *record.FuncError // of a function that failed
	body    []byte            // of a result
}

// compared is one thing that records say of both runs.
type compared struct {
	What    string `json:"what"`
	Then    string `json:"then,omitempty"` // "" where it is not known
	Now     string `json:"now,omitempty"`
	Differs bool   `json:"differs"`
}

func (o *replayOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	switch {
	case len(line.Args) == 0:
		return cli.Usagef("the address of a call is missing")
	case len(line.Args) > 1:
		return cli.Usagef("it takes the address of one call; there are %q", line.Args)
	case len(line.Program) == 0:
		return cli.Usagef("the program is missing: write it behind --, as in mops replay URI -- ./program")
	}
	x, err := roots.ResolveCall(ctx, a, line.Args[0])
	if err != nil {
		return err
	}
	v := replayView{URI: x.URI(), Differences: []explain.Difference{}, Compared: []compared{}, Changes: []changeView{}, Notes: []string{}, OutDirs: []string{}}
	if err := v.lookThen(ctx, a, x); err != nil {
		return err
	}
	if v.Then != nil {
		v.stored = *v.Then
	}
	dir, err := os.MkdirTemp("", "mops-replay-"+words.Of(x.Call.Path())+"-")
	if err != nil {
		return fmt.Errorf("a folder for the replay cannot be made (set TMPDIR to one that is writable): %w", err)
	}
	defer os.Remove(dir) // unless files of the function stay in it
	spec := specAgain(x, "replay", filepath.Join(dir, "made"))
	spec.Replay = &worker.Replay{Dir: dir}
	spec.Environ.ReadOnly = new(true) // a program of an older release heeds this
	defer os.Remove(spec.Replay.Said())
	defer os.Remove(spec.Verify)
	variable, err := specVariable(a, x.Store, spec)
	if err != nil {
		return err
	}
	signalled, err := v.start(a, line.Program, variable)
	if err != nil {
		return fmt.Errorf("the program cannot be started: %w", err)
	}
	if ctx = context.WithoutCancel(ctx); signalled != "" { // an interrupt was the command's
		v.Notes = append(v.Notes, "the command was ended by "+signalled)
	}
	if err := v.lookNow(ctx, a, x, spec, *o.source); err != nil {
		return err
	}
	v.keepOutDirs(dir)
	if a.JSON {
		err = a.PrintJSON(v)
	} else {
		v.show(a, x)
	}
	if err == nil && (v.Exit != 0 || v.Outcome == neverBegan) {
		err = cli.Exit(cmp.Or(v.Exit, cli.ExitFailed), cli.ErrSaid)
	}
	return err
}

// lookThen reads how the call ended before.
func (v *replayView) lookThen(ctx context.Context, a *cli.App, x roots.Address) error {
	stored, err := view.ReadCall(ctx, x, a.Now())
	switch {
	case err != nil:
		return err
	case stored.Invocation == nil:
		return cli.NotFoundf("%s cannot be run again: its input is not stored (the result was put there by hand, or the record was removed)", x.URI())
	case stored.Invocation.Condition != view.Sound:
		return fmt.Errorf("%s cannot be run again: its input cannot be read: %s", x.URI(), stored.Invocation.Problem)
	}
	var header record.InvocationHeader
	stored.Invocation.Into(&header)
	v.stored = ending{Run: record.Run{Program: header.Program}, origin: header.Origin}
	if stored.State == view.HasResult {
		found, err := x.Place().Result(ctx)
		if err != nil {
			return err
		}
		v.Then, err = resultEnding(found.Record)
		return err
	}
	for _, run := range stored.Runs { // the newest first
		if run.Run == nil {
			continue
		}
		v.Then = &ending{Outcome: run.Run.Outcome, Message: run.Run.Error, Run: *run.Run, RunID: run.ID, origin: header.Origin}
		if v.Then.Run.Program == (record.Program{}) { // of a worker that died the record is its caller's
			v.Then.Run.Program = header.Program
		}
		if reason := run.Run.Reason; reason != "" {
			v.Then.Message = strings.TrimSuffix(string(reason)+": "+run.Run.Error, ": ")
		}
		var failed record.ErrorHeader
		if e := stored.Error; e != nil && e.Failure != nil {
			if e.Into(&failed); failed.RunID == run.ID {
				v.Then.failed(failed.Head, *e.Failure)
			}
		}
		return nil
	}
	return nil
}

func resultEnding(r record.Record) (*ending, error) {
	var header record.ResultHeader
	if err := r.Into(&header); err != nil {
		return nil, err
	}
	return &ending{Outcome: runs.OK, Run: header.Run, RunID: header.RunID, origin: header.Origin, body: r.Body}, nil
}

func (e *ending) failed(head record.Head, failure record.FuncError) {
	e.Message, e.origin, e.failure = failure.Message, head.Origin, &failure
}

// start runs the command to its end. An interrupt is left to it: in a debugger that
// stops the program, and the replay goes on.
func (v *replayView) start(a *cli.App, program []string, variable string) (signalled string, err error) {
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Env = append(os.Environ(), variable)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, a.Stdout, a.Stderr
	if a.JSON {
		cmd.Stdout = a.Stderr
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGTERM { // an interrupt comes from the terminal, which sends it to the command, too
				cmd.Process.Signal(s)
			}
		case err := <-ended:
			if cmd.ProcessState == nil {
				return "", err
			}
			v.Exit = cmd.ProcessState.ExitCode()
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				v.Exit = 128 + int(status.Signal()) // as shells report it
				signalled = "the signal " + status.Signal().String()
			}
			return signalled, nil
		}
	}
}

// lookNow reads what the program left, and compares.
func (v *replayView) lookNow(ctx context.Context, a *cli.App, x roots.Address, spec worker.Spec, source string) error {
	var said worker.Replayed
	if text, err := os.ReadFile(spec.Replay.Said()); err == nil {
		if err := json.Unmarshal(text, &said); err != nil {
			return fmt.Errorf("what the program says of the replay: %w", err)
		}
		v.began = said.Refused == ""
	}
	v.Notes = append(v.Notes, said.Notes...)
	if made, err := os.ReadFile(spec.Verify); err == nil {
		if v.Now, err = endingOf(made); err != nil {
			return fmt.Errorf("what the program left: %w", err)
		}
		v.began = true
	}
	v.judge(ctx, said.Refused)
	if !v.began {
		return nil
	}
	now := ending{Run: said.Run, origin: said.Function.Origin}
	if v.Now != nil {
		now = *v.Now
	}
	v.compare(v.stored, now, said.Modules)
	return v.compareCode(ctx, a, x, now.origin, said.Function, source)
}

// endingOf is what a worker left of its run, as a record.
func endingOf(made []byte) (*ending, error) {
	if r, err := record.Open(record.KindResult, made); err == nil {
		return resultEnding(r)
	}
	r, err := record.Open(record.KindError, made)
	if err != nil {
		return nil, err
	}
	var header record.ErrorHeader
	if err := r.Into(&header); err != nil {
		return nil, err
	}
	failure, err := record.DecodeFuncError(r.Body)
	if err != nil {
		return nil, err
	}
	e := &ending{Outcome: header.Run.Outcome, Run: header.Run, RunID: header.RunID}
	e.failed(header.Head, failure)
	return e, nil
}
