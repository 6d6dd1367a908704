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
	"github.com/TrilliantHealth/mops-go/internal/engine/packtest"
	"github.com/TrilliantHealth/mops-go/test/machines"
)

// Processes that the suite starts learn here how workers are reached.
const (
	placeVariable  = "MACHINES_PLACE" // "ssh", "slurm" or "docker"
	configVariable = "MACHINES_SSH_CONFIG"
)

func newExecutor() executor.Executor {
	place := remote.SSH("far", "-F", os.Getenv(configVariable))
	switch os.Getenv(placeVariable) {
	case "slurm":
		place = remote.Slurm("--quiet")
	case "docker":
		place = remote.Docker(machines.Image)
	}
	e := remote.New(place, remote.Grace(500*time.Millisecond), remote.Pack(time.Minute))
	if os.Getenv(packtest.PlaceVariable) != "" {
		return packtest.New(e, executor.Packing{Work: time.Minute, Side: 20}) // calls of the suite wait for each other
	}
	return e
}

var maker = executortest.Maker{
	New:      newExecutor,
	Can:      executortest.Capabilities{Outlive: true, Logs: true, Kill: true},
	Impostor: func(handle string) string { return handle[:len(handle)-1] + "9" },
	Patience: patience,
}

func TestMain(m *testing.M) {
	mops.Init() // of workers of programs, and of agents
	packtest.Work()
	if gate := os.Getenv(gateVariable); gate != "" {
		os.Exit(prints(gate))
	}
	executortest.Main(m, maker)
}

// folder is one of the test's. Workers that were left end by and by, and write until
// then: it is removed as far as may be.
func folder(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "machines-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

// conform runs the suite with a worker for each call, and with calls in packs.
func conform(t *testing.T, shared string) {
	t.Run("each", func(t *testing.T) { executortest.Run(t, maker) })
	t.Run("packed", func(t *testing.T) {
		t.Setenv(packtest.PlaceVariable, shared)
		packs := maker
		packs.Can.Logs, packs.Impostor = false, nil
		executortest.Run(t, packs)
		packtest.Beside.Wait()
	})
}

func TestConformanceSSH(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts sshd")
	}
	t.Setenv(placeVariable, "ssh")
	t.Setenv(configVariable, machines.StartSSH(t).Config)
	conform(t, folder(t))
}

func TestConformanceSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts Slurm")
	}
	t.Setenv("SLURM_CONF", machines.StartSlurm(t))
	t.Setenv(placeVariable, "slurm")
	t.Setenv("MOPS_CACHE", t.TempDir())
	conform(t, folder(t))
}

func TestConformanceDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: runs containers")
	}
	shared := folder(t)
	t.Setenv("PATH", machines.StartDocker(t, shared)+":"+os.Getenv("PATH"))
	t.Setenv(placeVariable, "docker")
	conform(t, shared)
}
