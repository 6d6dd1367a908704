// Command release makes the files of a release of the tool mops from a commit: for
// each platform an archive and a list of what is in the program, packages for Debian,
// a formula for Homebrew, and the checksums of all. The same commit and the same Go
// make the same bytes, on any machine and in any folder. It is a module of its own,
// since nothing else needs what writes packages.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	checkout := flag.String("checkout", "..", "`folder` of the repository whose current commit is released")
	out := flag.String("o", "../dist", "`folder` for the files, empty or not there")
	platforms := flag.String("platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64", "GOOS/GOARCH of the programs, with commas between")
	flag.Parse()
	names, err := reproducible.release(ctx, *checkout, *out, strings.Split(*platforms, ","))
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
	for _, name := range names {
		fmt.Println(name)
	}
}
