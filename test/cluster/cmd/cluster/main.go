// Command cluster runs a Kubernetes cluster on this machine in the background, for
// trying things. The Makefile uses it; it stands above internal/cluster, and users
// of mops need not know of it.
//
//	cluster binaries        build what is not in the cache folder yet
//	cluster up [simulated]  build what the tier needs, start a cluster with a registry and
//	                        a store, and return when it is ready
//	cluster down            stop all of it
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
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
	switch strings.Join(args, " ") {
	case "binaries":
		return binaries(ctx)
	case "up":
		return up(ctx, cluster.RealTier)
	case "up simulated":
		return up(ctx, cluster.SimulatedTier)
	case "down":
		return down(ctx)
	case "serve real", "serve simulated": // what up starts in the background
		return serve(ctx, cluster.Tier(args[1]))
	}
	return fmt.Errorf("usage: cluster binaries | up [simulated] | down")
}

// tell says how far a start is.
func tell(i, n int, what string) { fmt.Printf("%d of %d: %s\n", i, n, what) }

// binaries builds, and closes with a line like those of the suites.
func binaries(ctx context.Context) error {
	start := time.Now()
	n, err := cluster.Build(ctx, cluster.RealTier, tell)
	if err != nil {
		return err
	}
	if err := cluster.BuildKueue(ctx, func(what string) { tell(n+1, n+1, what) }); err != nil {
		return err
	}
	n++
	fmt.Printf("cluster-binaries: %d passed, 0 failed\n  in %v\n", n, time.Since(start).Round(time.Second))
	return nil
}
