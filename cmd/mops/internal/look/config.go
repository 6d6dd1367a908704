package look

import (
	"context"
	"errors"
	"path/filepath"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Config is mops config.
var Config = cli.Command{
	Name:    "config",
	Usage:   []string{"config [--json] [FUNCTION]"},
	Purpose: "show the settings that hold here, and where each comes from",
	Teach: `
It shows each setting, its value, and the variable, or the line of the config file,
that sets it; for the functions below each entry of the file, what differs there; or
all that holds for one FUNCTION. It names the config file, and files of the same name
further up that are not read.

It knows no program, so it does not see what code sets: options are above the file,
but for mops.Main and mops.New, and below variables and entries with force. A program
shows all of it, for its own functions, and goes on:
MOPS_CONFIG_SHOW=1 ./program; with MOPS_PLAN=1, too, it computes nothing.

User, password and query of a URI are never shown.`,
	Example: `
mops config
mops config forecast/train
MOPS_CONFIG_SHOW=1 MOPS_PLAN=1 ./forecast`,
	Define:   func(*flag.FlagSet) cli.Action { return showConfig },
	Complete: roots.CompleteFunction,
}

func showConfig(_ context.Context, a *cli.App, line cli.Line) error {
	function := ""
	if !line.Empty() {
		var err error
		if function, err = line.One("the name of a function"); err != nil {
			return err
		}
		if err := memokey.ValidName(function); err != nil {
			return cli.Usage(err)
		}
	}
	found, file, errFile := roots.FindConfig(a)
	environ, errEnviron := config.FromEnv(a.Lookup)
	_, errExecutors := config.ExecutorsFromEnv(a.Lookup)
	if err := errors.Join(errFile, errEnviron, errExecutors); err != nil {
		return err
	}
	if found.Path != "" {
		var err error
		if found.Path, err = filepath.Abs(found.Path); err != nil {
			return err
		}
		file.Path = found.Path
	}
	origins := func(function string) []config.Origin {
		forced, plain := file.Levels(function)
		return config.Origins(append(append([]config.Level{config.Variables(environ)}, forced...), plain...))
	}
	report := config.NewReport(found, file, a.Lookup, nil)
	report.Function, report.Settings = function, origins(function)
	if function == "" {
		for _, entry := range file.Entries {
			report.Add(entry.Prefix, origins(entry.Prefix))
		}
	}
	report.Notes = []string{"What a program's code sets is not shown: MOPS_CONFIG_SHOW=1 ./program does."}
	if a.JSON {
		return a.PrintJSON(report)
	}
	report.Write(a.Text)
	return nil
}
