package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// A simulated cluster comes up with what is printed of it, and goes with all that
// belongs to it.
func TestUpAndDown(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts a Kubernetes cluster")
	}
	if err := cluster.MissingSimulated(); err != nil {
		t.Skip(err)
	}
	if _, _, ok := running(); ok {
		t.Skip("left out: somebody has a cluster in the background")
	}
	program := filepath.Join(t.TempDir(), "cluster")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	do := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
		if err != nil {
			t.Errorf("cluster %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	t.Cleanup(func() { do("down") }) // a second time is no failure
	out := do("up", "simulated")
	b, id, ok := running()
	if !ok {
		t.Fatal(out)
	}
	for _, want := range []string{"6 of 6: starting the simulated cluster\n", "\n  export KUBECONFIG='" + b.Logs, "End:     make cluster-down\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if again := do("up", "simulated"); !strings.HasSuffix(out, again) {
		t.Errorf("the second time it prints\n%s", again)
	}
	do("down")
	alive, _ := id.Alive()
	_, err := os.Stat(b.Logs)
	if _, fileErr := os.Stat(file()); alive || !errors.Is(err, os.ErrNotExist) || !errors.Is(fileErr, os.ErrNotExist) {
		t.Errorf("its process lives: %t; its folder: %v; its file: %v", alive, err, fileErr)
	}
}
