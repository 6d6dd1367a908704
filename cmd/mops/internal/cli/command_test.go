package cli

import (
	"flag"
	"testing"
)

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, args := range [][]string{
		{"--newest", "3", "mops1/x@1", "--json"}, {"--json", "mops1/x@1", "--newest=3"}, {"mops1/x@1", "-json", "-newest", "3"},
	} {
		var newest int
		var json bool
		c := Command{Name: "ls", Define: func(flags *flag.FlagSet) Action {
			flags.IntVar(&newest, "newest", 0, "")
			flags.Bool("other", false, "")
			return nil
		}}
		flags, _ := c.flags(&json)
		line, err := parse(flags, append(args, "--", "prog", "--json=no"))
		if err != nil || len(line.Args) != 1 || len(line.Program) != 2 || newest != 3 || !json || !line.Given("newest") || line.Given("other") {
			t.Errorf("%q: %+v, %v, %v", args, line, newest, err)
		}
	}
}
