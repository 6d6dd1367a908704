// Package cli is what the commands of the tool have in common, over what cobra does
// for any tool: how they are declared and explained, how they print for people and
// for programs, and with what code they exit. It knows neither stores nor commands;
// the rooms of commands use it, and main lists them.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/TrilliantHealth/mops-go/internal/base/interrupt"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Group is commands that share a first word, and what is said of them all. The
// tool itself is one without a name.
type Group struct {
	Name     string
	Purpose  string // a line for the overview of the tool
	About    string // of its own overview, before the list of its commands
	More     string // behind it
	Commands []Command
	Groups   []Group
}

func init() { cobra.EnableCommandSorting = false } // the overview has an order

// Main runs a command line of the tool and returns the exit code.
func (g Group) Main(ctx context.Context, a *App, args []string) int {
	root := g.tool(a)
	if len(args) > 0 && strings.TrimLeft(args[0], "-") == "version" {
		args = append([]string{"version"}, args[1:]...)
	}
	root.SetArgs(doubled(root, args))
	c, err := root.ExecuteContextC(ctx)
	if flushErr := a.Text.Flush(); err == nil && !errors.Is(flushErr, syscall.EPIPE) {
		err = flushErr // who reads only the first lines is no failure
	}
	name := nameOf(c)
	if end := interrupt.Of(ctx); err != nil && end != nil && !errors.Is(err, ErrSaid) {
		fmt.Fprintf(a.Stderr, "mops %s: %v\n", name, end)
		return end.Exit()
	}
	return a.exit(name, err)
}

func (g Group) tool(a *App) *cobra.Command {
	root := g.command(a)
	root.Use = "mops"
	root.SilenceErrors, root.SilenceUsage, root.CompletionOptions.DisableDefaultCmd = true, true, true
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(misspelt)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { explain(c, a.Text) })
	a.defineOutput(root.PersistentFlags())
	root.RegisterFlagCompletionFunc("output", OneOf(formats...).cobra(a, math.MaxInt))
	root.InitDefaultHelpCmd()
	if c, _, err := root.Find([]string{"help"}); err == nil {
		c.Short, c.Run = "this; or, with the name of a command, all about it", nil
		c.RunE = func(_ *cobra.Command, args []string) error { return help(root, args) }
	}
	return root
}

func (g Group) command(a *App) *cobra.Command {
	group := &cobra.Command{Use: g.Name, Short: g.Purpose, Long: strings.TrimSpace(g.About), Example: g.More, Args: cobra.ArbitraryArgs}
	group.RunE = func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			explain(group, a.Stderr)
			return Exit(ExitUsage, ErrSaid)
		case args[0] == "help":
			return help(group, args[1:])
		}
		return unknown(group, args[0])
	}
	for _, c := range g.Commands {
		group.AddCommand(c.command(a, g.Name))
	}
	for _, sub := range g.Groups {
		group.AddCommand(sub.command(a))
	}
	return group
}

// nameOf is the name of a command with that of its group; "" for the tool and its help.
func nameOf(c *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(c.CommandPath(), " help"), "mops"), " ")
}

func help(c *cobra.Command, args []string) error {
	c, rest, err := c.Find(args)
	switch {
	case err != nil:
		return Usage(err)
	case c.Name() == "help":
		c = c.Root()
	case len(rest) > 0 && c.HasSubCommands():
		return unknown(c, rest[0])
	case len(rest) > 0:
		return Usagef("help takes the name of one command")
	}
	return c.Help()
}

// unknown names the command that was meant, or all that the group has.
func unknown(group *cobra.Command, word string) error {
	name := strings.TrimSpace(nameOf(group) + " " + word)
	var names, deeper []string
	for _, c := range group.Commands() {
		names = append(names, nameOf(c))
		for _, c := range c.Commands() {
			deeper = append(deeper, nameOf(c))
		}
	}
	if meant := cmp.Or(words.Nearest(name, names), words.Nearest(name, deeper)); meant != "" {
		return Usagef("there is no command %q; did you mean %s?", name, meant)
	}
	return Usagef("there is no command %q; there are %s", name, strings.Join(names, ", "))
}
