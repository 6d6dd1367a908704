//go:build linux || darwin

package subprocess_test

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

var maker = executortest.Maker{
	New: func() executor.Executor { return subprocess.New(subprocess.Grace(200 * time.Millisecond)) },
	Can: executortest.Capabilities{Outlive: true, Logs: true, Kill: true},
	Impostor: func(handle string) string {
		id, err := process.Parse(handle)
		if err != nil {
			panic(err)
		}
		id.Start--
		return id.String()
	},
}

func TestConformance(t *testing.T) { executortest.Run(t, maker) }
