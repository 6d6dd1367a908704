package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Command is one thing that the tool does.
type Command struct {
	Name    string   // with that of its group
	Usage   []string // forms of the command line, without "mops"
	Purpose string   // a line for the overview
	Teach   string   // what it is for and what it shows, in paragraphs
	Example string   // commands that can be copied

	// Define defines its flags, but for those that all commands have, and returns
	// what runs once they are known.
	Define func(*flag.FlagSet) Action

	Complete  Completer            // its first argument; all others are files
	CompleteN int                  // not the first one, but so many
	Values    map[string]Completer // of its flags; of the others they are files
}

// Action runs a command.
type Action func(ctx context.Context, a *App, line Line) error

// Line is a command line without its flags.
type Line struct {
	Args    []string
	Program []string // what stood behind "--"
	flags   *flag.FlagSet
	tool    *cobra.Command
}

// Given reports whether a flag stood on the command line: one with the value
// zero was given, too.
func (l Line) Given(flag string) bool { return l.flags.Changed(flag) }

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

// command is what cobra has to know. Its commands hold the values of flags, so each
// command line gets new ones.
func (c Command) command(a *App, group string) *cobra.Command {
	forms := strings.Join(c.Usage, "\n  mops ")
	command := &cobra.Command{
		Use: strings.TrimSpace(strings.TrimPrefix(forms, group)), Short: c.Purpose, Long: strings.TrimSpace(c.Teach),
		Example: "  " + strings.ReplaceAll(strings.Trim(c.Example, "\n"), "\n", "\n  "), DisableFlagsInUseLine: true,
	}
	act := c.Define(command.Flags())
	if c.Complete != nil {
		command.ValidArgsFunction = c.Complete.cobra(a, max(c.CompleteN, 1))
	}
	for name, complete := range c.Values {
		if err := command.RegisterFlagCompletionFunc(name, complete.cobra(a, math.MaxInt)); err != nil {
			panic(err) // there is no such flag, as the first command line in any test says
		}
	}
	command.RunE = func(command *cobra.Command, args []string) error {
		line := Line{Args: args, flags: command.Flags(), tool: command.Root()}
		if dash := command.ArgsLenAtDash(); dash >= 0 {
			line.Args, line.Program = args[:dash], args[dash:]
		}
		if name := emptyFlag(line.flags); name != "" {
			return Usagef("--%s is empty: was a variable not set? Leave the flag out if it is not meant", name)
		}
		return a.inFormat(func() error { return act(command.Context(), a, line) })
	}
	return command
}

// emptyFlag is a flag that was given with an empty text: it would count as not
// given, and with gc, for one, more would be chosen than was meant.
func emptyFlag(flags *flag.FlagSet) (name string) {
	flags.Visit(func(f *flag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			name = f.Name
		}
	})
	return name
}

// misspelt adds to the error of a flag that is not there the one that was meant.
func misspelt(c *cobra.Command, err error) error {
	if c.HasSubCommands() && c.Flags().NArg() > 0 {
		return unknown(c, c.Flags().Arg(0)) // the flag may be one of the command that was meant
	}
	if wrong, ok := err.(*flag.InvalidValueError); ok {
		why := wrong.Unwrap()
		if number, ok := errors.AsType[*strconv.NumError](why); ok {
			why = number.Err
		}
		return Usagef("--%s %q: %v", wrong.GetFlag().Name, wrong.GetValue(), why)
	}
	missing, ok := err.(*flag.NotExistError)
	if !ok {
		return Usage(err)
	}
	given := missing.GetSpecifiedName()
	if given == "" || missing.GetSpecifiedShortnames() != "" {
		given, _, _ = strings.Cut(missing.GetSpecifiedShortnames(), "=")
	}
	var names []string
	c.Flags().VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if meant := words.Nearest(given, names); meant != "" {
		return Usagef("there is no flag --%s; did you mean --%s?", given, meant)
	}
	return Usagef("there is no flag --%s", given)
}

// doubled gives a flag of several letters its second dash: the tool once took
// -json and -newest 3, and cobra takes them for a row of flags of one letter.
func doubled(root *cobra.Command, args []string) []string {
	c, _, err := root.Find(args)
	doubled := append([]string{}, args...)
	for i, arg := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if err != nil || arg == "--" {
			break
		}
		if len(name) > 1 && name != arg && c.Flag(name) != nil {
			doubled[i] = "-" + arg
		}
	}
	return doubled
}

// explain writes the help of a command, or of a group.
func explain(c *cobra.Command, w io.Writer) {
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(w, "%s\n\nUsage\n  %s COMMAND [flags] [arguments]\n\nCommands\n", c.Long, c.CommandPath())
		var rows [][]string
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				rows = append(rows, []string{strings.TrimPrefix(sub.CommandPath(), "mops "), sub.Short})
			}
		}
		text.Table(w, "  ", rows, "")
		fmt.Fprint(w, c.Example)
		return
	}
	c.InitDefaultHelpFlag()
	c.Flags().Lookup("help").Hidden = true
	c.InheritedFlags() // from now on they are among the others
	fmt.Fprintf(w, "%s: %s\n\nUsage\n  %s\n\n%s\n\nExample\n%s\n\nFlags (before or behind the arguments)\n%s\nExit codes\n%s",
		c.CommandPath(), c.Short, c.UseLine(), c.Long, c.Example, c.Flags().FlagUsagesWrapped(100), ExitCodes)
}
