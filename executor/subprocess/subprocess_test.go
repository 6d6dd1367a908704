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

// stayVariable makes helper processes have workers that stay, too.
const stayVariable = "MOPS_TEST_SUBPROCESS_STAY"

// stayed has all workers of the suite in processes that had others before.
var stayed = subprocess.New(subprocess.Grace(200*time.Millisecond), subprocess.Stay())

func stayMaker() executortest.Maker {
	m := maker
	m.New = func() executor.Executor { return stayed }
	m.Impostor = func(handle string) string {
		h, err := process.ParseHandle(handle)
		if err != nil {
			panic(err)
		}
		h.Call++
		return h.String()
	}
	return m
}

func TestConformanceStay(t *testing.T) {
	t.Setenv(stayVariable, "1")
	executortest.Run(t, stayMaker())
}
