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
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// background is a cluster that a process of its own runs, and what a file says of it.
type background struct {
	Process                    string // its identity
	Kubeconfig, Registry, Host string
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

func up(tier string) error {
	if b, _, ok := running(); ok {
		return b.print()
	}
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
	command := exec.Command(self, "serve", tier)
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
	return b.print()
}

// print tells how to use the cluster.
func (b background) print() error {
	fmt.Printf("\n  export KUBECONFIG=%s\n\n", b.Kubeconfig)
	if b.Registry != "" {
		fmt.Printf("Images:  push to %s, without credentials; pods pull from there, under the same name.\n", b.Registry)
		fmt.Printf("Servers: pods reach what listens on %s.\n", b.Host)
	}
	fmt.Printf("Logs:    %s/*.log\n", filepath.Dir(b.Kubeconfig))
	fmt.Println("End:     make cluster-down")
	return nil
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
func serve(ctx context.Context, tier string) error {
	start := cluster.StartReal
	if tier == "simulated" {
		start = cluster.StartSimulated
	}
	c, err := start(ctx)
	if err != nil {
		return err
	}
	b := background{process.Self().String(), c.Kubeconfig, c.Registry, c.Host}
	text, err := json.Marshal(b)
	if err == nil {
		err = os.WriteFile(file(), text, 0o600)
	}
	if err == nil {
		os.Stdout.Close()
		<-ctx.Done()
	}
	return errors.Join(err, c.Stop(), os.Remove(file()))
}
