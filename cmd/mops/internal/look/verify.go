package look

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/memokey"
	"github.com/TrilliantHealth/mops-go/internal/text"
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
	URI         string           `json:"uri"`
	Verdict     verdict          `json:"verdict"`
	Differences []differenceView `json:"differences"` // here: stored; there: now
	Problem     string           `json:"problem,omitempty"`
	Seconds     float64          `json:"seconds"`
	Stored      float64          `json:"stored_seconds"`

	words, function string
	lines           []string // differences for people
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
	const most = 20
	for i, line := range v.lines {
		if i == most {
			fmt.Fprintf(a.Text, "        … %d more\n", len(v.lines)-most)
			break
		}
		fmt.Fprintf(a.Text, "        %s\n", line)
	}
}

// compareBodies says in what two results differ.
func (v *verifyView) compareBodies(ctx context.Context, stored, now []byte) {
	const most = 1000
	storedValue, storedErr := dynamic.Decode(ctx, stored)
	nowValue, nowErr := dynamic.Decode(ctx, now)
	v.Verdict = differs
	v.Differences = []differenceView{}
	for _, d := range dynamic.Diff(storedValue, nowValue, "Out", most) {
		v.Differences = append(v.Differences, differenceView{"output", d.Path, &dynamic.JSON{Value: d.Here}, &dynamic.JSON{Value: d.There}, d.Note})
		line := fmt.Sprintf("%s: %s stored, %s now", d.Path, dynamic.Short(d.Here, 60), dynamic.Short(d.There, 60))
		if d.Note != "" {
			line += " (" + d.Note + ")"
		}
		v.lines = append(v.lines, line)
	}
	switch {
	case len(v.Differences) > 0:
	case storedErr != nil || nowErr != nil:
		v.Problem = fmt.Sprintf("the bytes differ in what could not be compared: %v", cmp.Or(storedErr, nowErr))
	default:
		v.Problem = "the bytes differ, though they decode alike: a type that marshals itself writes equal values in several ways"
	}
}
