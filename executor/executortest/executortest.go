// Package executortest is the conformance suite of executors: whoever writes
// one runs it. Its workers are the test binary itself, which behaves as each
// case wants:
//
//	var maker = executortest.Maker{New: …, Can: …}
//
//	func TestMain(m *testing.M)        { executortest.Main(m, maker) }
//	func TestConformance(t *testing.T) { executortest.Run(t, maker) }
package executortest

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Maker makes the executors under test and says what to expect of them.
type Maker struct {
	// New returns an executor whose workers run the test binary. Helper processes
	// call it, too.
	New func() executor.Executor

	Can Capabilities

	// Impostor changes a handle into one that names another worker in the same
	// place: one that had the same number before, say. It may be nil.
	Impostor func(handle string) string

	// Listen returns a listener that workers can reach; nil means a port of
	// 127.0.0.1.
	Listen func() (net.Listener, error)

	// MostLog is the longest log, in bytes, that arrives whole; 0 means any.
	MostLog int

	// Patience is the longest that a case may take; 0 means 2 minutes.
	Patience time.Duration
}

// Capabilities are optional for an executor; the suite tests those that it
// claims.
type Capabilities struct {
	Outlive bool // workers outlive the process that started them, and can be attached to
	Logs    bool // Invocation.Log gets what workers print
	Kill    bool // a worker is a process: it can be killed with all that it started
}

// Run runs the suite.
func Run(t *testing.T, maker Maker) {
	if maker.Patience == 0 {
		maker.Patience = 2 * time.Minute
	}
	if maker.Listen == nil {
		maker.Listen = func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	}
	before := runtime.NumGoroutine()
	for _, group := range []struct {
		name  string
		able  bool
		cases []testCase
	}{
		{"Basics", true, basics},
		{"Logs", maker.Can.Logs, logs},
		{"Kill", maker.Can.Kill, kills},
		{"Goroutine", !maker.Can.Kill, goroutineCases},
		{"Outlive", maker.Can.Outlive, outlives},
	} {
		t.Run(group.name, func(t *testing.T) {
			if !group.able {
				t.Skip("the executor does not claim this capability")
			}
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) { c.run(newBench(t, maker)) })
			}
		})
	}
	checkGoroutines(t, before, maker.Patience)
}

type testCase struct {
	name string
	run  func(*bench)
}
