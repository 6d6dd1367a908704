package executortest

import (
	"runtime"
	"testing"
	"time"
)

// checkGoroutines fails when there are more goroutines than before. One that is
// about to end still counts, and its end is no event, so that we look again.
func checkGoroutines(t *testing.T, before int, patience time.Duration) {
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
}
