package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Command is one thing that the tool does. This file is all that stands between
// what commands do and the package that reads their flags.
type Command struct {
	Name    string   // with that of its group
	Usage   []string // forms of the command line, without "mops"
	Purpose string   // a line for the overview
	Teach   string   // what it is for and what it shows, in paragraphs
	Example string   // commands that can be copied

	// Define defines its flags, but for --json, which all commands have, and
	// returns what runs once they are known.
	Define func(*flag.FlagSet) Action
}

// Action runs a command.
type Action func(ctx context.Context, a *App, line Line) error

// Line is a command line without its flags.
type Line struct {
	Args    []string
	Program []string // what stood behind "--"
	given   map[string]bool
}

// Given reports whether a flag stood on the command line: one with the value
// zero was given, too.
func (l Line) Given(flag string) bool { return l.given[flag] }

// Empty reports whether there is nothing but flags.
func (l Line) Empty() bool { return len(l.Args)+len(l.Program) == 0 }

// One takes the one argument of a command.
func (l Line) One(what string) (string, error) {
	if len(l.Args) == 0 {
		return "", Usagef("%s is missing", what)
	}
	if len(l.Args) > 1 || len(l.Program) > 0 {
		return "", Usagef("it takes one argument, %s; there are %q", what, append(l.Args, l.Program...))
	}
	return l.Args[0], nil
}

func (c Command) run(ctx context.Context, a *App, args []string) error {
	flags, act := c.flags(&a.JSON)
	line, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.explain(a.Text)
		return nil
	case err != nil:
		return Usage(err)
	}
	if name := emptyFlag(flags); name != "" {
		return Usagef("--%s is empty: was a variable not set? Leave the flag out if it is not meant", name)
	}
	return act(ctx, a, line)
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

func (c Command) flags(json *bool) (*flag.FlagSet, Action) {
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(json, "json", false, "print JSON, for programs")
	return flags, c.Define(flags)
}

// parse takes flags before, between and behind the arguments. What stands
// behind "--" is not looked at.
func parse(flags *flag.FlagSet, args []string) (line Line, err error) {
	if i := slices.Index(args, "--"); i >= 0 {
		args, line.Program = args[:i], args[i+1:]
	}
	for {
		if err := flags.Parse(args); err != nil {
			return line, misspelt(flags, err)
		}
		if flags.NArg() == 0 {
			break
		}
		line.Args = append(line.Args, flags.Arg(0))
		args = flags.Args()[1:]
	}
	line.given = map[string]bool{}
	flags.Visit(func(f *flag.Flag) { line.given[f.Name] = true })
	return line, nil
}

// misspelt adds to the error of a flag that is not there the one that was meant.
func misspelt(flags *flag.FlagSet, err error) error {
	given, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	var names []string
	flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if meant := words.Nearest(given, names); meant != "" {
		return fmt.Errorf("there is no flag --%s; did you mean --%s?", given, meant)
	}
	return fmt.Errorf("there is no flag --%s", given)
}

// explain writes the help of a command.
func (c Command) explain(w io.Writer) {
	fmt.Fprintf(w, "mops %s: %s\n\nUsage\n", c.Name, c.Purpose)
	for _, form := range c.Usage {
		fmt.Fprintf(w, "  mops %s\n", form)
	}
	fmt.Fprintf(w, "\n%s\n\nExample\n%s", strings.TrimSpace(c.Teach), indented(c.Example))
	flags, _ := c.flags(new(bool))
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
	fmt.Fprint(w, "\nFlags (before or behind the arguments)\n")
	text.Table(w, "  ", rows, "")
	fmt.Fprintf(w, "\nExit codes\n%s", ExitCodes)
}

func indented(lines string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.Trim(lines, "\n"), "\n") {
		b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
	}
	return b.String()
}
