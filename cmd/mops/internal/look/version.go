package look

import (
	"context"
	"runtime"
	"strings"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Version is mops version.
var Version = cli.Command{
	Name:    "version",
	Usage:   []string{"version [--json]"},
	Purpose: "print the version of this tool and of the format that it reads",
	Teach: `
Programs and tool may differ in version as long as they have the store format in
common: records of another format are never replaced, and the tool says so.`,
	Example: `mops version`,
	Define: func(flags *flag.FlagSet) cli.Action {
		return version
	},
	Complete: cli.OneOf[string](),
}

type versionView struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Dirty    bool   `json:"dirty,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Format   string `json:"format"` // of the store
	Codec    string `json:"codec"`  // of inputs and outputs
}

func version(_ context.Context, a *cli.App, line cli.Line) error {
	if !line.Empty() {
		return cli.Usagef("it takes no arguments")
	}
	p := record.ThisProgram()
	v := versionView{
		Version: p.Version, Revision: p.Revision, Dirty: p.Dirty, Go: p.Go,
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Format: memokey.Format, Codec: record.Codec,
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	program := strings.TrimSpace("mops " + v.Version + " " + view.Revision(p))
	return a.Print(v, "%s, %s, %s\nstore format %s, codec %s\n", program, v.Go, v.Platform, v.Format, v.Codec)
}
