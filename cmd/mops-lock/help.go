package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

const about = `mops-lock: write down by which code functions compute

Usage
  mops-lock [flags] [packages]              write the locks
  mops-lock --check [--json] [packages]     for CI: do locks and code agree?
  mops-lock --diff [packages]               what changed?
  mops-lock --same NAME "why" [packages]    the code changed, the results did not
  mops-lock --same NAME=CODE "why"          results of that other code are as good

Results are kept under a function's name and version. Each package that defines
functions has a lock, mops_lock.go, which says by which code they compute: all that
a function can reach in the module, and the modules that it uses. Comments, layout,
names and places do not count. Commit it with the code.

If the code of a function changed and its Version did not, nothing is written.
Either set another Version, and results are computed anew; or declare that they are
the same as before, with --same. The lock keeps the reason for the team. With --same
no more is written than the functions that are named. Results may be of code that no
lock has had, of somebody's branch for one: mops why says which, and mops verify
--changed whether it gives the same results.

Packages are as the go command has them; default: ./..., this folder and all below.
All machines look at what is built for one platform. Functions in tests have no
locks, nor have those that build constraints leave out; what a lock says of the
latter stays. A function whose code only running it would tell (a closure, one that
is defined in a loop, or by a helper around Define) cannot be locked: a note says so.

--check also names what makes results depend on more than the input: a clock, chance,
the environment, variables that change, files and networks that are no sources. It
looks at your own code, and keeps silent where it cannot tell. A comment accepts what
is right all the same: //mops:pure REASON

After a merge that left conflicts in mops_lock.go, run mops-lock: it reads both sides.

Example
  go get -tool github.com/TrilliantHealth/mops-go/cmd/mops-lock
  go tool mops-lock
  go tool mops-lock --check ./...
  go tool mops-lock --same forecast/train "only faster: the same sums in another order"
`

const codes = `
Exit codes
    0  it worked; with --check: all locks and their code agree
    1  code changed under its version; with --check: a lock and the code do not agree
    2  the command line makes no sense, or a package cannot be looked at
  130  it was interrupted (Ctrl-C)
  143  it was ended by SIGTERM
`

func explain(w io.Writer) {
	fmt.Fprint(w, about)
	var rows [][]string
	(&command{}).flags().VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		rows = append(rows, []string{"--" + f.Name + " " + value, usage})
	})
	fmt.Fprint(w, "\nFlags (before or behind the arguments)\n")
	text.Table(w, "  ", rows, "")
	fmt.Fprint(w, codes)
}
