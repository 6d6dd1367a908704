package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// background is a cluster that a process of its own runs, and what a file says of it.
type background struct {
	Process         string // its identity
	Tier            cluster.Tier
	Logs            string   // folder
	Host, Namespace string   // where pods reach servers; where Jobs of this user go
	Variables       []string // NAME=value, for programs that use it
}

func file() string { return filepath.Join(cluster.Folder(), "background.json") }

// running returns the cluster in the background; ok says that there is one.
func running() (b background, id process.Identity, ok bool) {
	text, err := os.ReadFile(file())
	if err != nil || json.Unmarshal(text, &b) != nil {
		return b, id, false
	}
	if id, err = process.Parse(b.Process); err != nil {
		return b, id, false
	}
	alive, _ := id.Alive()
	return b, id, alive
}

func up(ctx context.Context, tier cluster.Tier) error {
	if b, _, ok := running(); ok {
		if b.Tier != tier {
			return fmt.Errorf("a %s cluster runs already; make cluster-down ends it", b.Tier)
		}
		b.print()
		return nil
	}
	// Half an hour of building is no use without these.
	if err := cluster.Lacking(tier); err != nil {
		return fmt.Errorf("%w; TIER=simulated needs no containers, and runs no programs", err)
	}
	n, err := cluster.Build(ctx, tier, func(i, n int, what string) { tell(i, n+1, what) })
	if err != nil {
		return err
	}
	tell(n+1, n+1, "starting the "+string(tier)+" cluster")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	said, err := os.CreateTemp("", "mops-cluster-")
	if err != nil {
		return err
	}
	defer said.Close()
	os.Remove(said.Name()) // both processes have it open
	command := exec.Command(self, "serve", string(tier))
	command.Stderr = said
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // stays when the terminal is closed
	ready, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := command.Start(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, ready); err != nil { // until it is ready, or has ended
		return err
	}
	b, _, ok := running()
	if !ok {
		command.Wait()
		reason, _ := io.ReadAll(io.NewSectionReader(said, 0, 1<<20))
		return fmt.Errorf("it did not start: %s", reason)
	}
	fmt.Printf("ready in %v\n", time.Since(start).Round(100*time.Millisecond))
	b.print()
	return nil
}

// print tells how to use the cluster.
func (b background) print() {
	fmt.Println()
	for _, variable := range b.Variables {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Printf("  export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	fmt.Println()
	if b.Tier == cluster.RealTier {
		fmt.Println("Images:  push to $REGISTRY, without TLS and credentials; pods pull from there, under the same name.")
		fmt.Printf("Store:   $ROOT, in memory. Pods find its credentials in the Secret %s of namespace %s.\n", cluster.StoreSecret, b.Namespace)
		fmt.Printf("Servers: pods reach what listens on %s.\n", b.Host)
	} else {
		fmt.Println("Pods are said to run, and no program does: there is neither a registry nor a store.")
	}
	fmt.Printf("Logs:    %s/*.log\n", b.Logs)
	fmt.Println("End:     make cluster-down")
}

func down(ctx context.Context) error {
	_, id, ok := running()
	if !ok {
		fmt.Println("no cluster runs in the background")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := id.SignalGroup(syscall.SIGTERM); err != nil {
		return err
	}
	if err := id.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the end of the cluster's process %d: %w", id.PID, err)
	}
	fmt.Println("the cluster is gone")
	return nil
}

// serve runs a cluster until the context ends. The end of its standard output says
// that it is ready.
func serve(ctx context.Context, tier cluster.Tier) error {
	start := cluster.StartReal
	if tier == cluster.SimulatedTier {
		start = cluster.StartSimulated
	}
	c, err := start(ctx)
	if err != nil {
		return err
	}
	if err := announce(ctx, c, tier); err != nil {
		return errors.Join(err, c.Stop())
	}
	os.Stdout.Close()
	<-ctx.Done()
	return errors.Join(c.Stop(), os.Remove(file()))
}

// announce writes the file that says that the cluster is there.
func announce(ctx context.Context, c *cluster.Cluster, tier cluster.Tier) error {
	namespace, variables, err := c.Furnish(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(background{process.Self().String(), tier, filepath.Dir(c.Kubeconfig), c.Host, namespace, variables})
	if err != nil {
		return err
	}
	return os.WriteFile(file(), text, 0o600)
}
