// Command cluster runs a Kubernetes cluster on this machine in the background, for
// trying things. The Makefile uses it; it stands above internal/cluster, and users
// of mops need not know of it.
//
//	cluster binaries        build what is not in the cache folder yet
//	cluster up [simulated]  start a cluster, and return when it is ready
//	cluster down            stop it
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/test/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	command, tier := "", ""
	switch len(args) {
	case 2:
		tier = args[1]
		fallthrough
	case 1:
		command = args[0]
	}
	switch {
	case command == "binaries" && tier == "":
		return binaries(ctx)
	case command == "up" && (tier == "" || tier == "simulated"):
		return up(tier)
	case command == "down" && tier == "":
		return down(ctx)
	case command == "serve": // what up starts in the background
		return serve(ctx, tier)
	}
	return fmt.Errorf("usage: cluster binaries | up [simulated] | down")
}

// binaries builds, and closes with a line like those of the suites.
func binaries(ctx context.Context) error {
	start := time.Now()
	n, err := cluster.Build(ctx, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Printf("cluster-binaries: %d passed, 0 failed\n  in %v\n", n, time.Since(start).Round(time.Second))
	return nil
}
