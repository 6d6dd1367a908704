// Command mops-lock writes down by which code the functions of packages compute,
// and says when that changed and their versions did not. Packages keep it in
// mops_lock.go. It is what people and CI see of package lockfile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/interrupt"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
	"github.com/TrilliantHealth/mops-go/internal/trust/lockfile"
	"github.com/TrilliantHealth/mops-go/internal/trust/snapshot"
)

// Exit codes. They are part of the help.
const (
	exitOK      = 0
	exitRefused = 1
	exitCannot  = 2
)

func main() {
	ctx, stop := interrupt.Context(context.Background())
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is a command line.
type command struct {
	check, diff, json bool
	same              []string
	reason            string
	platform, tags    string
	patterns          []string
}

func (c *command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("mops-lock", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.check, "check", false, "write nothing; exit with 1 if a lock and the code do not agree")
	flags.BoolVar(&c.diff, "diff", false, "write nothing; print what changed since the locks were written")
	flags.BoolVar(&c.json, "json", false, "with --check, print what is known of all functions as JSON, for programs")
	flags.Func("same", "`NAME` computes the same as before, for the reason that follows; may be repeated; all stands for whatever changed; with =CODE: the same as that code", func(name string) error {
		if name == "" {
			return errors.New("it is empty")
		}
		c.same = append(c.same, name)
		return nil
	})
	flags.StringVar(&c.platform, "platform", fingerprint.DefaultPlatform, "look at what is built for this `SYSTEM/ARCHITECTURE`, on every machine")
	flags.StringVar(&c.tags, "tags", "", "look at what is built with these build `TAGS`, a list with commas; default: those of GOFLAGS")
	return flags
}

// parse takes flags before, between and behind the arguments.
func parse(args []string) (*command, error) {
	c := &command{}
	flags := c.flags()
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			break
		}
		c.patterns = append(c.patterns, flags.Arg(0))
		args = flags.Args()[1:]
	}
	if len(c.same) > 0 {
		if len(c.patterns) == 0 || strings.TrimSpace(c.patterns[0]) == "" {
			return nil, fmt.Errorf("--same %s: say why the results are the same: mops-lock --same %s \"why\"", c.same[0], c.same[0])
		}
		c.reason, c.patterns = c.patterns[0], c.patterns[1:]
	}
	switch {
	case c.check && c.diff, (c.check || c.diff) && len(c.same) > 0:
		return nil, errors.New("--check, --diff and --same exclude each other")
	case c.json && !c.check:
		return nil, errors.New("--json goes with --check")
	}
	return c, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "help" {
		args[0] = "--help"
	}
	c, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		explain(stdout)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "mops-lock: %v\n  mops-lock --help says how it is used\n", err)
		return exitCannot
	}
	code, err := c.run(ctx, stdout, stderr)
	if end := interrupt.Of(ctx); end != nil {
		fmt.Fprintln(stderr, "mops-lock:", end)
		return end.Exit()
	}
	if err != nil {
		fmt.Fprintf(stderr, "mops-lock: %s\n", strings.ReplaceAll(text.CleanLines(err.Error()), "\n", "\n  "))
	}
	return code
}

func (c *command) run(ctx context.Context, stdout, stderr io.Writer) (code int, err error) {
	config := lockfile.Config{Patterns: c.patterns, Platform: c.platform, CacheDir: snapshot.DefaultCacheDir()}
	if c.tags != "" {
		config.Tags = strings.Split(c.tags, ",")
	}
	r, err := lockfile.Look(ctx, config)
	if c.json && ctx.Err() == nil {
		if err != nil {
			r = &lockfile.Result{Errs: []error{err}}
		}
		return exitCode(r, len(r.Problems()) > 0), newReport(r).write(stdout)
	}
	if err != nil {
		return exitCannot, err
	}
	for _, err := range r.Errs {
		say(stderr, "mops-lock: ", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	for _, line := range r.Warnings() {
		say(stderr, "note: ", line)
	}
	switch {
	case c.check:
		lines := r.Problems()
		sayAll(stdout, lines)
		return exitCode(r, len(lines) > 0), nil
	case c.diff:
		sayAll(stdout, r.Differences())
		return exitCode(r, false), nil
	case len(c.same) > 0:
		if err := r.Declare(c.same, c.reason); err != nil {
			return exitRefused, err
		}
	}
	written, err := r.Write()
	sayAll(stdout, written)
	if errors.Is(err, lockfile.ErrRefused) {
		sayAll(stderr, r.Refusals())
		return exitRefused, nil
	}
	if err != nil {
		return exitCannot, err
	}
	return exitCode(r, false), nil
}

func exitCode(r *lockfile.Result, found bool) int {
	switch {
	case found:
		return exitRefused
	case len(r.Errs) > 0:
		return exitCannot
	}
	return exitOK
}

func sayAll(w io.Writer, lines []string) {
	for _, line := range lines {
		say(w, "", line)
	}
}

// say prints a line in which names are that others gave.
func say(w io.Writer, prefix, line string) {
	fmt.Fprintf(w, "%s%s\n", prefix, text.CleanLines(line))
}
