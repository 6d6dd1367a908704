package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"
)

// Man is mops man.
var Man = Command{
	Name:    "man",
	Usage:   []string{"man FOLDER"},
	Purpose: "write manual pages, for man, into a folder",
	Teach: `
Each command gets a page of section 1, such as mops-ls.1, with what its help says; mops.1
has the overview. The packages for Debian and Homebrew bring them along. Where man looks,
manpath says.`,
	Example: `
mops man ~/.local/share/man/man1
man mops-ls`,
	Define: func(*flag.FlagSet) Action {
		return func(_ context.Context, a *App, line Line) error {
			folder, err := line.One("the folder")
			if err != nil {
				return err
			}
			pages, err := writePages(line.tool, folder)
			if err != nil {
				return err
			}
			return a.Print(map[string]any{"folder": folder, "pages": pages}, "%d pages in %s\n", pages, folder)
		}
	},
}

// writePages writes the pages of a command and of those in it.
func writePages(c *cobra.Command, folder string) (pages int, err error) {
	if c.Name() == "help" {
		return 0, nil
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	if err := os.WriteFile(filepath.Join(folder, name+".1"), page(c, name), 0o666); err != nil {
		return 0, err
	}
	for _, sub := range c.Commands() {
		more, err := writePages(sub, folder)
		if err != nil {
			return 0, err
		}
		pages += more
	}
	return pages + 1, nil
}

// page is what a command's help says, for man. A line of the help above an indented one
// is a heading; what is indented stays as it is, all else is filled.
func page(c *cobra.Command, name string) []byte {
	var help, out bytes.Buffer
	explain(c, &help)
	fmt.Fprintf(&out, ".TH %s 1 \"\" mops \"memoized calls\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), name, roff(c.Short))
	_, rest, _ := strings.Cut(help.String(), "\n\n")
	if c.HasSubCommands() {
		rest = help.String()
	}
	described := false
	for block := range strings.SplitSeq(strings.TrimSpace(rest), "\n\n") {
		first, below, more := strings.Cut(block, "\n")
		switch indented := strings.HasPrefix(first, " "); {
		case !indented && more && strings.HasPrefix(below, " "):
			title := strings.Replace(strings.ToUpper(first), "USAGE", "SYNOPSIS", 1)
			fmt.Fprintf(&out, ".SH %s\n.nf\n%s\n.fi\n", title, roff(below))
		case indented:
			fmt.Fprintf(&out, "\n.nf\n%s\n.fi\n", roff(block))
		case !described:
			described = true
			fmt.Fprintf(&out, ".SH DESCRIPTION\n%s\n", roff(block))
		default:
			fmt.Fprintf(&out, ".PP\n%s\n", roff(block))
		}
	}
	return out.Bytes()
}

// roff escapes what man would act upon, and what is not ASCII.
func roff(text string) string {
	text = "\n" + strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	text = strings.NewReplacer("\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)[1:]
	var ascii strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			ascii.WriteRune(r)
		} else {
			fmt.Fprintf(&ascii, `\[u%04X]`, r)
		}
	}
	return ascii.String()
}
