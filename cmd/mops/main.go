// Command mops shows what a root holds: calls, their inputs, results, errors,
// leases and logs. It reads records without the programs that wrote them, removes
// what is no longer wanted, and checks whether a root is fit for use. It stands
// above all other packages of mops and is imported by none.
package main

import (
	"context"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/kube"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/look"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/page"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/upkeep"
	"github.com/TrilliantHealth/mops-go/internal/base/interrupt"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"

	_ "github.com/TrilliantHealth/mops-go/blob/azureblob" // the roots that the tool can open
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	_ "github.com/TrilliantHealth/mops-go/blob/gcsblob"
	_ "github.com/TrilliantHealth/mops-go/blob/memblob"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
)

func main() {
	ctx, stop := interrupt.Context(context.Background())
	text := cli.NewTextWriter(os.Stdout)
	text.Colour = progress.TakesColor(os.Stdout, os.LookupEnv)
	a := &cli.App{Stdout: os.Stdout, Text: text, Stderr: os.Stderr, Lookup: os.LookupEnv, Now: time.Now}
	code := commands.Main(ctx, a, os.Args[1:])
	stop()
	os.Exit(code)
}

// commands are in the order of the overview.
var commands = cli.Group{
	Purpose: "show what is kept of memoized calls",
	About: `mops shows what is kept of memoized calls: which there are, with what inputs and
results, who computes them, what they printed, and why one was not found. It
examines the stores in which they are kept, and removes what is no longer wanted.
`,
	Commands: []cli.Command{
		look.Inspect, look.List, look.Logs, look.Why, look.Lineage, look.Lease, look.Verify, look.Replay, look.Runs, look.Summary, look.Diff,
		page.Page, page.Serve,
		upkeep.Doctor, upkeep.GC, look.Config, look.Version, cli.Completion, cli.Man,
	},
	Groups: []cli.Group{kube.Commands},
	More: `
Addresses
  A call lives at ROOT/mops1/PIPELINE/FUNCTION@VERSION/THREE-WORDS.HASH, its memo
  URI: errors and summaries print it. A path of this machine does as well as a
  file:// URI. Below the default root it may begin with mops1/, and for a call its
  three words are enough: mops inspect amber-kite-river.

  The default root is that of MOPS_ROOT, else of the config file (MOPS_CONFIG, else
  the nearest mops.toml from the current folder upwards), else file://~/.mops; mops
  config says which.

Start here
  mops ls                   what is there
  mops inspect URI          one call: input, result, error, who ran it
  mops why URI              what it differs in from the calls nearest to it

Exit codes
` + cli.ExitCodes,
}
