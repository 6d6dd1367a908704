package cli

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"
)

// Completer yields what an argument, or the value of a flag, may be of which the
// beginning was written, and behind a tab what that is. Arguments before it are known.
type Completer func(ctx context.Context, a *App, before []string, begun string) iter.Seq[string]

// OneOf completes to one of these.
func OneOf[T ~string](values ...T) Completer {
	return func(context.Context, *App, []string, string) iter.Seq[string] {
		return func(yield func(string) bool) {
			for _, v := range values {
				if !yield(string(v)) {
					return
				}
			}
		}
	}
}

const (
	// patience is how long a shell waits for a store; then it gets what came.
	patience = time.Second
	// mostOffered is how much is offered: nobody reads more.
	mostOffered = 200
)

// cobra is a completer of so many arguments, as cobra wants it. Behind them, and where
// nothing was found for what may be a path, the shell offers files.
func (complete Completer) cobra(a *App, arguments int) cobra.CompletionFunc {
	return func(c *cobra.Command, before []string, begun string) (found []string, how cobra.ShellCompDirective) {
		if len(before) >= arguments {
			return nil, cobra.ShellCompDirectiveDefault
		}
		ctx, cancel := context.WithTimeout(c.Context(), patience)
		defer cancel()
		values := make(chan string)
		// Nobody waits for it when time is up: a folder on a server that is away hangs
		// whoever looks at it, and the process ends now.
		go func() {
			defer close(values)
			for v := range complete(ctx, a, before, begun) {
				select {
				case values <- v:
				case <-ctx.Done():
					return
				}
			}
		}()
		open := true // to go on: each is a folder
		for v, more := "", true; more && len(found) < mostOffered; {
			select {
			case v, more = <-values:
			case <-ctx.Done():
				more = false
			}
			if more && strings.HasPrefix(v, begun) && !slices.Contains(found, v) {
				found, open = append(found, v), open && strings.HasSuffix(v, "/")
			}
		}
		switch {
		case len(found) == 0 && strings.HasPrefix(strings.TrimLeft(begun, ".~"), "/"):
			return nil, cobra.ShellCompDirectiveDefault
		case len(found) > 0 && open:
			how = cobra.ShellCompDirectiveNoSpace
		}
		return found, how | cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// Completion is mops completion.
var Completion = Command{
	Name:    "completion",
	Usage:   []string{"completion bash|zsh|fish"},
	Purpose: "print what has a shell complete commands, flags, roots, functions, calls and runs",
	Teach: `
The script that it prints has the shell ask this tool when you press TAB: for commands
and flags, and, of the default root or of another that the word begins with, for
pipelines, functions, the three words of calls, and runs. A store that does not answer
within a second is not waited for. The packages for Debian and Homebrew bring the
scripts along; for bash the package bash-completion is needed, too.`,
	Example: `
mops completion bash > ~/.local/share/bash-completion/completions/mops
mops completion zsh > "${fpath[1]}/_mops"            a folder of $fpath
mops completion fish > ~/.config/fish/completions/mops.fish`,
	Define: func(*flag.FlagSet) Action {
		return func(_ context.Context, a *App, line Line) error {
			shell, err := line.One("the shell: bash, zsh or fish")
			switch {
			case err != nil:
				return err
			case shell == "bash":
				return bash(line.tool, a.Stdout)
			case shell == "zsh":
				return line.tool.GenZshCompletion(a.Stdout)
			case shell == "fish":
				return line.tool.GenFishCompletion(a.Stdout, true)
			}
			return Usagef("there is no completion for %q, but for bash, zsh and fish", shell)
		}
	},
	Complete: OneOf("bash", "zsh", "fish"),
}

// bash writes cobra's script for a shell that may break words at @, too, which stands
// in names of functions. What stands before the last break is not to be put there
// again; @ itself is.
func bash(tool *cobra.Command, w io.Writer) error {
	var script bytes.Buffer
	if err := tool.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	_, err := strings.NewReplacer(
		"_init_completion -n =: ||", "_init_completion -n =:@ ||",
		"__mops_handle_special_char \"$cur\" :\n", `local i start breaks=${cur//[^:=@]/}
    while [[ -n $breaks && $COMP_WORDBREAKS != *"${breaks:${#breaks}-1}"* ]]; do breaks=${breaks%?}; done
`,
		"__mops_handle_special_char \"$cur\" =\n", `if [[ -n $breaks ]]; then
        start=${cur%"${cur##*${breaks:${#breaks}-1}}"}
        for i in ${!COMPREPLY[*]}; do COMPREPLY[i]=${COMPREPLY[i]#"${start%@}"}; done
    fi
`,
	).WriteString(w, script.String())
	return err
}
