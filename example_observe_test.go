package mops_test

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

var Smooth = mops.Define("example/smooth", func(_ context.Context, days int) (string, error) {
	if days == 0 {
		return "", fmt.Errorf("over no days")
	}
	return fmt.Sprintf("over %d days", days), nil
})

// Observe tells of all that happens to calls.
func ExampleObserve() {
	var saved time.Duration
	ctx, end := environment(mops.Root("mem://observe"), mops.Observe(func(e mops.Event) {
		switch {
		case e.Kind == mops.CallWaiting && e.Wait == mops.WaitLease:
			fmt.Println(e.Function, "waits for", e.For)
		case e.Kind == mops.AttemptEnded && e.Err != nil:
			fmt.Println(e.Function, "attempt", e.Attempt, "failed")
		case e.Kind == mops.CallEnded:
			fmt.Println(e.Function, e.Outcome)
		}
		if e.Outcome == mops.Hit {
			saved += e.Wall
		}
	}))
	for _, days := range []int{7, 7, 0} {
		Smooth.Call(ctx, days)
	}
	end() // it has told of everything then
	fmt.Println(saved > 0)
	// Output:
	// example/smooth@0 computed
	// example/smooth@0 hit
	// example/smooth@0 attempt 1 failed
	// example/smooth@0 failed
	// true
}
