// Package cli is what the commands of the tool have in common: what a command is,
// its flags and its help, how it prints for people and for programs, and with what
// code it exits. It knows neither stores nor commands; the rooms of commands use
// it, and main lists them.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/TrilliantHealth/mops-go/internal/base/interrupt"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
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

// Main runs a command line of the tool and returns the exit code.
func (g Group) Main(ctx context.Context, a *App, args []string) int {
	if len(args) == 0 {
		g.overview(a.Stderr)
		return ExitUsage
	}
	word, args := args[0], args[1:]
	if sub, isGroup := g.sub(word); isGroup {
		return sub.Main(ctx, a, args)
	}
	switch word {
	case "help", "-h", "-help", "--help":
		err := g.help(a, args)
		a.Text.Flush()
		return a.exit("", err)
	case "-version", "--version":
		word = "version"
	}
	c, err := g.find(word)
	if err != nil {
		return a.exit("", err)
	}
	err = c.run(ctx, a, args)
	if flushErr := a.Text.Flush(); err == nil && !errors.Is(flushErr, syscall.EPIPE) {
		err = flushErr // who reads only the first lines is no failure
	}
	if end := interrupt.Of(ctx); err != nil && end != nil && !errors.Is(err, ErrSaid) {
		fmt.Fprintf(a.Stderr, "mops %s: %v\n", c.Name, end)
		return end.Exit()
	}
	return a.exit(c.Name, err)
}

func (g Group) sub(name string) (Group, bool) {
	for _, sub := range g.Groups {
		if sub.Name == name {
			return sub, true
		}
	}
	return Group{}, false
}

// All are the commands of the group and of those in it.
func (g Group) All() []Command {
	all := slices.Clone(g.Commands)
	for _, sub := range g.Groups {
		all = append(all, sub.All()...)
	}
	return all
}

// find finds the command that is called so within the group.
func (g Group) find(word string) (Command, error) {
	name := strings.TrimSpace(g.Name + " " + word)
	var names []string
	for _, c := range g.All() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	meant := words.Nearest(name, names)
	for _, sub := range g.Groups {
		meant = cmp.Or(meant, words.Nearest(name, []string{sub.Name}))
	}
	if meant != "" {
		return Command{}, Usagef("there is no command %q; did you mean %s?", name, meant)
	}
	return Command{}, Usagef("there is no command %q; there are %s", name, strings.Join(names, ", "))
}

func (g Group) help(a *App, args []string) error {
	if len(args) == 0 {
		g.overview(a.Text)
		return nil
	}
	if sub, isGroup := g.sub(args[0]); isGroup {
		return sub.help(a, args[1:])
	}
	if len(args) > 1 {
		return Usagef("help takes the name of one command")
	}
	c, err := g.find(args[0])
	if err == nil {
		c.explain(a.Text)
	}
	return err
}

func (g Group) overview(w io.Writer) {
	program, rows := "mops", [][]string{}
	for _, c := range g.Commands {
		rows = append(rows, []string{c.Name, c.Purpose})
	}
	for _, sub := range g.Groups {
		rows = append(rows, []string{sub.Name, sub.Purpose})
	}
	if g.Name == "" {
		rows = append(rows, []string{"help", "this; or, with the name of a command, all about it"})
	} else {
		program += " " + g.Name
	}
	fmt.Fprintf(w, "%s\nUsage\n  %s COMMAND [flags] [arguments]\n\nCommands\n", g.About, program)
	text.Table(w, "  ", rows, "")
	fmt.Fprint(w, g.More)
}
