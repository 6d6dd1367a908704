package cli

import (
	"bytes"
	"context"
	"slices"
	"testing"

	flag "github.com/spf13/pflag"
)

// Flags stand anywhere before "--", and those of several letters may have one dash.
func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, args := range [][]string{
		{"--newest", "3", "mops1/x@1", "--json"}, {"--json", "mops1/x@1", "--newest=3"}, {"mops1/x@1", "-json", "-newest", "3"}, {"-newest=3", "mops1/x@1", "--json=true"},
	} {
		var newest int
		var got Line
		tool := Group{Commands: []Command{{Name: "ls", Usage: []string{"ls"}, Define: func(flags *flag.FlagSet) Action {
			flags.IntVar(&newest, "newest", 0, "")
			flags.BoolP("other", "n", false, "")
			return func(_ context.Context, _ *App, line Line) error {
				got = line
				return nil
			}
		}}}}
		var out, errs bytes.Buffer
		a := &App{Stdout: &out, Text: NewTextWriter(&out), Stderr: &errs}
		code := tool.Main(t.Context(), a, slices.Concat([]string{"ls"}, args, []string{"--", "prog", "-json=no"}))
		if code != 0 || len(got.Args) != 1 || len(got.Program) != 2 || got.Program[1] != "-json=no" || newest != 3 || !a.JSON || !got.Given("newest") || got.Given("other") {
			t.Errorf("%q: %d, %+v, %v, %s", args, code, got, newest, errs.String())
		}
	}
}
