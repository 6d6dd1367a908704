package look

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// Verify is mops verify.
var Verify = cli.Command{
	Name: "verify",
	Usage: []string{
		"verify [--json] URI … -- PROGRAM [ARGS]", "verify [--sample N] URI-OF-FUNCTION -- PROGRAM [ARGS]",
		"verify --changed [--sample N] [URI …] -- PROGRAM [ARGS]",
	},
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
as --sample says; 0 means all.

--changed is for code that was changed under the same version. In the root, or in
the pipelines and functions given, it looks for results that were computed by other
code than the program has, and runs a sample for each function and code again. If
all give the same results, that is a reason to declare the code equal, and the line
to do so comes last; otherwise set another Version. The program says by its locks
which code it has. Where it was built in the module around the current folder, or
around --source DIR, what was edited since the lock was written counts, too.`,
	Example: `
mops verify amber-kite-river -- ./forecast
mops verify --sample 50 mops1/default/forecast/clean@1 -- go run ./cmd/forecast
mops verify --changed -- go run ./cmd/forecast`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := verifyOptions{source: sourceFlag(flags)}
		flags.IntVar(&o.sample, "sample", 10, "of a function: how many results, `N` by chance; 0 means all")
		flags.BoolVar(&o.changed, "changed", false, "only what other code computed than the program has")
		return o.run
	},
	Complete: roots.CompleteAddress,
}

type verifyOptions struct {
	sample  int
	changed bool
	source  *string
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
	case len(line.Args) == 0 && !o.changed:
		return cli.Usagef("the address of a call or a function is missing")
	case line.Given("source") && !o.changed:
		return cli.Usagef("--source goes with --changed")
	case len(line.Program) == 0:
		return cli.Usagef("the program is missing: write it behind --, as in mops verify URI -- ./program")
	case o.sample < 0:
		return cli.Usagef("--sample takes a number from 0 on")
	case o.changed:
		return o.runChanged(ctx, a, line)
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
		view, err := verify(ctx, a, call, line.Program, record.Origin{})
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
		n++
		sample = o.draw(sample, n, roots.Of(x.Store, call))
	}
	if n == 0 {
		if !roots.There(ctx, x.Store, x.Path) {
			return nil, roots.NotFound(ctx, x.Store, x.Path, nil)
		}
		return nil, cli.NotFoundf("%s has no results that could be verified", x.URI())
	}
	return inOrder(sample), nil
}

// draw takes the n-th call into a sample, or leaves it out: each has the same
// chance to be in it in the end.
func (o *verifyOptions) draw(sample []roots.Address, n int, call roots.Address) []roots.Address {
	if o.sample == 0 || len(sample) < o.sample {
		return append(sample, call)
	}
	if i := rand.N(n); i < o.sample {
		sample[i] = call
	}
	return sample
}

func inOrder(sample []roots.Address) []roots.Address {
	slices.SortFunc(sample, func(a, b roots.Address) int { return strings.Compare(a.Path, b.Path) })
	return sample
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

// verify runs one call again; by is what the program says of its code, if it was
// asked. The error is for what stops the whole command.
func verify(ctx context.Context, a *cli.App, x roots.Address, program []string, by record.Origin) (verifyView, error) {
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
	made, err := runAgain(ctx, a, x, program, by, dir)
	switch {
	case ctx.Err() != nil:
		return v, ctx.Err()
	case notStarted(err):
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
