package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"

	"github.com/TrilliantHealth/mops-go/internal/memokey"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

var versionCommand = command{
	name:    "version",
	usage:   []string{"version [--json]"},
	purpose: "print the version of this tool and of the format that it reads",
	teach: `
Programs and tool may differ in version as long as they have the store format in
common: records of another format are never replaced, and the tool says so.`,
	example: `mops version`,
	define: func(flags *flag.FlagSet) action {
		o := versionOptions{json: jsonFlag(flags)}
		return o.run
	},
}

type versionOptions struct{ json *bool }

type versionView struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Dirty    bool   `json:"dirty,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Format   string `json:"format"` // of the store
	Codec    string `json:"codec"`  // of inputs and outputs
}

func (o *versionOptions) run(_ context.Context, a *app, args, program []string) error {
	if len(args)+len(program) > 0 {
		return usagef("it takes no arguments")
	}
	p := record.ThisProgram()
	v := versionView{
		Version: p.Version, Revision: p.Revision, Dirty: p.Dirty, Go: p.Go,
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Format: memokey.Format, Codec: record.Codec,
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	if *o.json {
		return a.printJSON(v)
	}
	text := "mops " + v.Version
	if v.Revision != "" {
		text += " " + v.Revision[:min(len(v.Revision), 12)]
		if v.Dirty {
			text += " with uncommitted changes"
		}
	}
	_, err := fmt.Fprintf(a.text, "%s, %s, %s\nstore format %s, codec %s\n", text, v.Go, v.Platform, v.Format, v.Codec)
	return err
}
