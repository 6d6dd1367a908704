//go:build linux

package machines_test

import (
	"os"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/test/machines"
)

// Processes that the suite starts learn here how workers are reached.
const (
	placeVariable  = "MACHINES_PLACE" // "ssh" or "slurm"
	configVariable = "MACHINES_SSH_CONFIG"
)

func newExecutor() executor.Executor {
	place := remote.SSH("far", "-F", os.Getenv(configVariable))
	if os.Getenv(placeVariable) == "slurm" {
		place = remote.Slurm("--quiet")
	}
	return remote.New(place, remote.Grace(500*time.Millisecond))
}

var maker = executortest.Maker{
	New:      newExecutor,
	Can:      executortest.Capabilities{Outlive: true, Logs: true, Kill: true},
	Impostor: func(handle string) string { return handle[:len(handle)-1] + "9" },
	Patience: 60 * time.Second,
}

func TestMain(m *testing.M) {
	mops.Init() // of workers of programs, and of agents
	if gate := os.Getenv(gateVariable); gate != "" {
		os.Exit(prints(gate))
	}
	executortest.Main(m, maker)
}

func TestConformanceSSH(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts sshd")
	}
	t.Setenv(placeVariable, "ssh")
	t.Setenv(configVariable, machines.StartSSH(t).Config)
	executortest.Run(t, maker)
}

func TestConformanceSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts Slurm")
	}
	t.Setenv("SLURM_CONF", machines.StartSlurm(t))
	t.Setenv(placeVariable, "slurm")
	t.Setenv("MOPS_CACHE", t.TempDir())
	executortest.Run(t, maker)
}
