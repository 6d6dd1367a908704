//go:build linux || darwin

package remote_test

import (
	"os"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/internal/engine/agent"
)

// The command leads to a shell of this machine; module test has ssh and Slurm.
var maker = executortest.Maker{
	New:      func() executor.Executor { return remote.New(remote.Through("env"), remote.Grace(200*time.Millisecond)) },
	Can:      executortest.Capabilities{Outlive: true, Logs: true, Kill: true},
	Impostor: func(handle string) string { return handle[:len(handle)-1] + "9" },
}

func TestMain(m *testing.M) {
	if code, asked := agent.Serve(); asked {
		os.Exit(code)
	}
	executortest.Main(m, maker)
}

func TestConformance(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	executortest.Run(t, maker)
}
