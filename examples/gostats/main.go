// Command gostats measures every package of a Go source tree, by default that
// of the Go standard library: one memoized call for each package, in a
// subprocess, and one that sums them up. Run it twice: the second time all
// results are there. Change a file: its package and the sum are computed again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// The functions. What decides a result is in the name, the version and the
// input: when what measure counts changes, so must its version.
var (
	Measure = mops.Define("examples/gostats/measure", measure, mops.Version("1"), mops.On(subprocess.New()))
	Sum     = mops.Define("examples/gostats/sum", sum, mops.Version("1"))
)

// options are for where it runs; see cluster.go.
var options []mops.EnvOption

// main leaves it to mops to become a worker: a worker has no arguments, so run,
// which is called only where the program was started by a person, parses them.
func main() {
	mops.Main(func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout) }, options...)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("gostats", flag.ContinueOnError)
	dir := flags.String("dir", "", "`folder` with the packages to measure (default: the source of the Go standard library)")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *dir == "" {
		std, err := standardLibrary(ctx)
		if err != nil {
			return err
		}
		*dir = std
	}
	return stats(ctx, *dir, out)
}

// stats measures the tree at dir and prints the report. A package that cannot
// be measured keeps no other from it.
func stats(ctx context.Context, dir string, out io.Writer) error {
	begin := time.Now()
	found, err := findPackages(dir)
	if err != nil {
		return err
	}
	var (
		packages []Package
		failed   []error
		outcomes = map[mops.Outcome]int{}
	)
	for r := range Measure.Each(ctx, slices.Values(found)) {
		if r.Err != nil {
			failed = append(failed, r.Err)
			continue
		}
		packages = append(packages, r.Out)
		outcomes[r.Info.Outcome]++
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if len(packages) == 0 {
		return errors.Join(failed...)
	}
	// Packages come as they are done, which is no part of the question.
	slices.SortFunc(packages, func(a, b Package) int { return compare(a.Path, b.Path) })
	report, info, err := Sum.Do(ctx, packages)
	if err != nil {
		return err
	}
	outcomes[info.Outcome]++
	report.print(out, dir)
	fmt.Fprintf(out, "%s calls: %s in %v\n", thousands(len(packages)+1), describe(outcomes), time.Since(begin).Round(time.Millisecond))
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d packages are not in the report:\n%w", len(failed), len(found), errors.Join(failed...))
	}
	return nil
}
