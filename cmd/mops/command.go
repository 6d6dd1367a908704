package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/text"
)

// command is one thing that the tool does. Each has a file of its own.
type command struct {
	name    string
	usage   []string // forms of the command line, without "mops"
	purpose string   // a line for the overview
	teach   string   // what it is for and what it shows, in paragraphs
	example string   // commands that can be copied
	define  func(*flag.FlagSet) action
}

// action runs a command once its flags are known. Program is what stood behind "--".
type action func(ctx context.Context, a *app, args, program []string) error

func find(name string) (command, error) {
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return command{}, usagef("there is no command %q; there are %s", name, strings.Join(names, ", "))
}

func (c command) run(ctx context.Context, a *app, args []string) error {
	flags, act := c.flags()
	args, program, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.explain(a.text)
		return nil
	case err != nil:
		return usageError{err.Error()}
	}
	if name := emptyFlag(flags); name != "" {
		return usagef("--%s is empty: was a variable not set? Leave the flag out if it is not meant", name)
	}
	return act(ctx, a, args, program)
}

// givenFlags are the names of the flags on the command line: one with the value
// zero was given, too.
func givenFlags(flags *flag.FlagSet) map[string]bool {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	return given
}

// emptyFlag is a flag that was given with an empty text: it would count as not
// given, and with gc, for one, more would be chosen than was meant.
func emptyFlag(flags *flag.FlagSet) (name string) {
	flags.Visit(func(f *flag.Flag) {
		if value, ok := f.Value.(flag.Getter); ok && value.Get() == any("") {
			name = f.Name
		}
	})
	return name
}

func (c command) flags() (*flag.FlagSet, action) {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags, c.define(flags)
}

// parse takes flags before, between and behind the arguments. What stands
// behind "--" is not looked at.
func parse(flags *flag.FlagSet, args []string) (positional, behind []string, err error) {
	if i := slices.Index(args, "--"); i >= 0 {
		args, behind = args[:i], args[i+1:]
	}
	for {
		if err := flags.Parse(args); err != nil {
			return nil, nil, err
		}
		if flags.NArg() == 0 {
			return positional, behind, nil
		}
		positional = append(positional, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// explain writes the help of a command.
func (c command) explain(w io.Writer) {
	fmt.Fprintf(w, "mops %s: %s\n\nUsage\n", c.name, c.purpose)
	for _, form := range c.usage {
		fmt.Fprintf(w, "  mops %s\n", form)
	}
	fmt.Fprintf(w, "\n%s\n\nExample\n%s", strings.TrimSpace(c.teach), indented(c.example))
	flags, _ := c.flags()
	var rows [][]string
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		name := "-" + f.Name
		if len(f.Name) > 1 {
			name = "-" + name
		}
		if value != "" {
			name += " " + value
		}
		rows = append(rows, []string{name, usage})
	})
	if len(rows) > 0 {
		fmt.Fprintf(w, "\nFlags (before or behind the arguments)\n")
		text.Table(w, "  ", rows, "")
	}
	fmt.Fprintf(w, "\nExit codes\n%s", exitCodes)
}

const exitCodes = `    0  it worked
    1  it failed; or what was found is damaged, differs (verify) or is unfit (doctor)
    2  the command line makes no sense
    3  what was asked for is not there
  130  it was interrupted (Ctrl-C)
    n  k8s launch, k8s orchestrate: what the program in the pod exited with
`

func indented(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
	}
	return b.String()
}

// jsonFlag defines the flag that every command has.
func jsonFlag(flags *flag.FlagSet) *bool {
	return flags.Bool("json", false, "print JSON, for programs")
}

func (a *app) help(args []string) error {
	if len(args) == 0 {
		a.overview(a.text)
		return nil
	}
	name, rest := word(args)
	switch {
	case len(rest) > 0:
		return usagef("help takes the name of one command")
	case name == clusterGroup:
		a.clusterOverview(true)
		return nil
	}
	c, err := find(name)
	if err == nil {
		c.explain(a.text)
	}
	return err
}

// purposes are a line about each of some commands.
func purposes(which func(command) bool) (rows [][]string) {
	for _, c := range commands() {
		if which(c) {
			rows = append(rows, []string{c.name, c.purpose})
		}
	}
	return rows
}

func (a *app) overview(w io.Writer) {
	fmt.Fprint(w, `mops shows what is kept of memoized calls: which there are, with what inputs and
results, who computes them, what they printed, and why one was not found. It
examines the stores in which they are kept, and removes what is no longer wanted.

Usage
  mops COMMAND [flags] [arguments]

Commands
`)
	rows := purposes(func(c command) bool { return !c.onCluster() })
	rows = append(rows, []string{clusterGroup, "run and see Jobs on a Kubernetes cluster; help k8s lists how"})
	rows = append(rows, []string{"help", "this; or, with the name of a command, all about it"})
	text.Table(w, "  ", rows, "")
	fmt.Fprintf(w, `
Addresses
  A call lives at ROOT/mops1/PIPELINE/FUNCTION@VERSION/THREE-WORDS.HASH, its memo
  URI: errors and summaries print it. A path of this machine does as well as a
  file:// URI. Below the default root it may begin with mops1/, and for a call its
  three words are enough: mops inspect amber-kite-river.

  The default root is that of MOPS_ROOT, else of the config file (MOPS_CONFIG, else
  mops.toml in the current folder), else file://~/.mops.

Start here
  mops ls                   what is there
  mops inspect URI          one call: input, result, error, who ran it
  mops why URI              what it differs in from the calls nearest to it

Exit codes
%s`, exitCodes)
}
