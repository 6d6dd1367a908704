package worker

import (
	"context"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
)

// verify runs an invocation again beside the records of the call: it takes no
// lease and stores nothing, except through calls that the function makes. What
// the function returns, result or error, goes as a record into the file that
// the spec names.
func (p Process) verify(ctx context.Context, place memo.Place) (code int) {
	invocation, end := readInvocation(ctx, place)
	defer end()
	task, _, err := p.task(place, invocation)
	if err == nil {
		task.Keep = false
		done := task.Run(p.Context(ctx))
		if err = done.Err; err == nil {
			err = os.WriteFile(p.Spec.Verify, done.Sealed, 0o600)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return executor.ExitFailed
	}
	return executor.ExitOK
}
