package look

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// Verify is mops verify.
var Verify = cli.Command{
	Name:    "verify",
	Usage:   []string{"verify [--json] URI … -- PROGRAM [ARGS]", "verify [--sample N] URI-OF-FUNCTION -- PROGRAM [ARGS]"},
	Purpose: "run memoized calls again and compare: are the functions pure?",
	Teach: `
It starts your program as a worker, gives it the stored input, and compares the bytes
of what the function returns now with the stored result. Nothing is stored and no
lease is taken; calls that the function makes in turn use the root as usual. A
result that differs comes from a function that depends on more than its input (the
time, chance, the order of a map, the environment), or that was changed without a
new version.

The program must be built from the version that made the result. It may be started
in any way that passes the environment on: go run will do.

Given a function, it runs a sample of its results, chosen by chance: 10, or as many
as --sample says; 0 means all.`,
	Example: `
mops verify amber-kite-river -- ./forecast
mops verify --sample 50 mops1/default/forecast/clean@1 -- go run ./cmd/forecast`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := verifyOptions{}
		flags.IntVar(&o.sample, "sample", 10, "of a function: how many results, `N` by chance; 0 means all")
		return o.run
	},
}

type verifyOptions struct {
	sample int
}

// verdict is what came of running a call again.
type verdict string

const (
	pass    verdict = "pass"    // the very same bytes
	differs verdict = "differs" // another result
	failed  verdict = "failed"  // an error this time
	notRun  verdict = "not_run" // the program could not run it
)

type verifyView struct {
	URI         string               `json:"uri"`
	Verdict     verdict              `json:"verdict"`
	Differences []explain.Difference `json:"differences"` // here: stored; there: now
	Problem     string               `json:"problem,omitempty"`
	Seconds     float64              `json:"seconds"`
	Stored      float64              `json:"stored_seconds"`

	words, function string
}

func (o *verifyOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	switch {
	case len(line.Args) == 0:
		return cli.Usagef("the address of a call or a function is missing")
	case len(line.Program) == 0:
		return cli.Usagef("the program is missing: write it behind --, as in mops verify URI -- ./program")
	case o.sample < 0:
		return cli.Usagef("--sample takes a number from 0 on")
	}
	var calls []roots.Address
	for _, arg := range line.Args {
		some, err := o.choose(ctx, a, arg)
		if err != nil {
			return err
		}
		calls = append(calls, some...)
	}
	views := []verifyView{}
	passed := 0
	for _, call := range calls {
		view, err := verify(ctx, a, call, line.Program)
		if err != nil {
			return err
		}
		if views = append(views, view); view.Verdict == pass {
			passed++
		}
		if !a.JSON {
			showVerdict(a, view)
			a.Text.Flush()
		}
	}
	var err error
	switch {
	case a.JSON:
		err = a.PrintJSON(views)
	case len(calls) > 1:
		fmt.Fprintf(a.Text, "%s of %s passed\n", text.Number(passed), text.Count(len(calls), "call"))
	}
	if err == nil && passed < len(calls) {
		err = cli.ErrSaid
	}
	return err
}

// choose returns the call of an address, or a sample of a function's.
func (o *verifyOptions) choose(ctx context.Context, a *cli.App, text string) ([]roots.Address, error) {
	x, err := roots.Resolve(ctx, a, text)
	if err != nil {
		return nil, err
	}
	if x.Kind != roots.KindFunction {
		x, err = roots.ResolveCall(ctx, a, text)
		return []roots.Address{x}, err
	}
	var sample []roots.Address
	n := 0
	for info, err := range x.Store.List(ctx, x.Path+"/", "") {
		if err != nil {
			return nil, err
		}
		call, err := memokey.Parse(info.Key)
		if err != nil || call.Rest != "result" {
			continue
		}
		chosen := roots.Of(x.Store, call)
		// Reservoir sampling: each result is chosen with the same chance.
		if n++; o.sample == 0 || len(sample) < o.sample {
			sample = append(sample, chosen)
		} else if i := rand.N(n); i < o.sample {
			sample[i] = chosen
		}
	}
	if n == 0 {
		if !roots.There(ctx, x.Store, x.Path) {
			return nil, roots.NotFound(ctx, x.Store, x.Path, nil)
		}
		return nil, cli.NotFoundf("%s has no results that could be verified", x.URI())
	}
	slices.SortFunc(sample, func(a, b roots.Address) int { return strings.Compare(a.Path, b.Path) })
	return sample, nil
}

func showVerdict(a *cli.App, v verifyView) {
	word := strings.ToUpper(strings.ReplaceAll(string(v.Verdict), "_", " "))
	fmt.Fprintf(a.Text, "%-8s%s  %s", word, v.words, v.function)
	if v.Verdict == pass {
		fmt.Fprintf(a.Text, "  (%s, and %s then)", text.Seconds(v.Seconds), text.Seconds(v.Stored))
	}
	fmt.Fprintln(a.Text)
	if v.Problem != "" {
		fmt.Fprintf(a.Text, "        %s\n", v.Problem)
	}
	showDifferences(a, "        ", v.Differences, 20, "stored", "now")
}

// compareBodies says in what two results differ.
func (v *verifyView) compareBodies(ctx context.Context, stored, now []byte) {
	const most = 1000
	storedValue, storedErr := dynamic.Decode(ctx, stored)
	nowValue, nowErr := dynamic.Decode(ctx, now)
	v.Verdict = differs
	for _, d := range dynamic.Diff(storedValue, nowValue, "Out", most) {
		v.Differences = append(v.Differences, explain.Difference{Part: explain.Output, Difference: d})
	}
	switch {
	case len(v.Differences) > 0:
	case storedErr != nil || nowErr != nil:
		v.Problem = fmt.Sprintf("the bytes differ in what could not be compared: %v", cmp.Or(storedErr, nowErr))
	default:
		v.Problem = "the bytes differ, though they decode alike: a type that marshals itself writes equal values in several ways"
	}
}

// verify runs one call again. The error is for what stops the whole command.
func verify(ctx context.Context, a *cli.App, x roots.Address, program []string) (verifyView, error) {
	v := verifyView{
		URI: x.URI(), Differences: []explain.Difference{},
		words: words.Of(x.Path), function: x.Call.Name + "@" + x.Call.Version,
	}
	stored, err := x.Place().Result(ctx)
	if blob.Is(err, blob.NotFound) {
		return v, cli.NotFoundf("%s has no result to compare with", x.URI())
	}
	if err != nil {
		return v, err
	}
	var header record.ResultHeader
	if err := stored.Into(&header); err != nil {
		return v, err
	}
	v.Stored = header.Run.WallSeconds
	if _, err := x.Place().Invocation(ctx); blob.Is(err, blob.NotFound) {
		v.Verdict, v.Problem = notRun, "its input is not known: the result was put there by hand"
		return v, nil
	}
	dir, err := os.MkdirTemp("", "mops-verify-")
	if err != nil {
		return v, fmt.Errorf("a folder for the new result cannot be made (set TMPDIR to one that is writable): %w", err)
	}
	defer os.RemoveAll(dir)
	made, err := runAgain(ctx, a, x, program, dir)
	switch {
	case ctx.Err() != nil:
		return v, ctx.Err()
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return v, fmt.Errorf("the program cannot be started: %w", err)
	case err != nil:
		v.Verdict, v.Problem = notRun, err.Error()
		return v, nil
	}
	return v, v.judge(ctx, stored.Body, made)
}

// judge compares the stored result with the record of the new one.
func (v *verifyView) judge(ctx context.Context, stored, made []byte) error {
	if fresh, err := record.Open(record.KindResult, made); err == nil {
		var header record.ResultHeader
		if err := fresh.Into(&header); err != nil {
			return err
		}
		v.Seconds, v.Verdict = header.Run.WallSeconds, pass
		if !bytes.Equal(stored, fresh.Body) {
			v.compareBodies(ctx, stored, fresh.Body)
		}
		return nil
	}
	fresh, err := record.Open(record.KindError, made)
	if err != nil {
		return fmt.Errorf("what the program left: %w", err)
	}
	var header record.ErrorHeader
	if err := fresh.Into(&header); err != nil {
		return err
	}
	v.Seconds, v.Verdict, v.Problem = header.Run.WallSeconds, failed, "it failed this time: "+header.Message
	return nil
}

// runAgain starts the program as a worker that keeps its result to itself, and
// returns the record of that. What it prints is shown on standard error.
func runAgain(ctx context.Context, a *cli.App, x roots.Address, program []string, dir string) ([]byte, error) {
	root, pipeline := x.Store.Address(), x.Call.Pipeline
	configPath, found := config.Find("", a.Lookup) // as the program itself would find it
	if found {
		var err error
		if configPath, err = filepath.Abs(configPath); err != nil {
			return nil, err
		}
	}
	made := filepath.Join(dir, "made")
	spec, err := worker.Spec{
		Assignment: worker.Assignment{
			ID: runs.New("", "verify"), Terms: worker.Terms{Pipeline: pipeline}, Chain: worker.Chain{worker.Link(x.Call.Key)},
		},
		Surroundings: worker.Surroundings{Config: configPath, Defaults: config.Settings{Root: &root, Pipeline: &pipeline}},
		Root:         root, Path: x.Path, Function: x.Call.Name, Verify: made,
	}.Encode()
	if err != nil {
		return nil, err
	}
	printed := cli.NewTextWriter(a.Stderr)
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	// Files that the function returns stay in its temporary folder, and go with it.
	cmd.Env = append(os.Environ(), worker.Variable+"="+spec, "TMPDIR="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var last lastLine
	output := io.MultiWriter(printed, &last)
	cmd.Stdout, cmd.Stderr = output, output // one writer: what it prints keeps its order
	err = cmd.Run()
	printed.Flush()
	if cmd.Process == nil {
		return nil, err
	}
	data, readErr := os.ReadFile(made)
	switch {
	case readErr == nil:
		return data, nil
	case err != nil && last.text() != "":
		return nil, errors.New(last.text())
	case err != nil:
		return nil, fmt.Errorf("the program ended with %w", err)
	}
	return nil, errors.New("the program did not act as a worker: one that calls mops.Main, or mops.Init first of all in main, does")
}

// lastLine keeps the end of what a worker says.
type lastLine struct{ end []byte }

func (l *lastLine) Write(p []byte) (int, error) {
	const most = 4 << 10
	l.end = append(l.end, p...)
	l.end = l.end[max(len(l.end)-most, 0):]
	return len(p), nil
}

func (l *lastLine) text() string {
	lines := strings.Split(strings.TrimSpace(string(l.end)), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "mops worker: ")
}
