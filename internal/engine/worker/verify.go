package worker

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// verify runs an invocation again beside the records of the call: it takes no
// lease and stores nothing, except through calls that the function makes. What
// the function returns, result or error, goes as a record into the file that
// the spec names.
func (p Process) verify(ctx context.Context, place memo.Place) (code int) {
	invocation := readInvocation(ctx, place)
	defer invocation.end()
	task, _, err := p.task(place, invocation)
	if err == nil {
		task.Keep = false
		err = p.writeVerified(task, task.Run(p.Context(ctx)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return 1
	}
	return 0
}

func (p Process) writeVerified(task Task, done Done) error {
	if done.Err != nil {
		return done.Err
	}
	var sealed []byte
	var err error
	switch {
	case done.Failed != nil:
		var body []byte
		if body, err = done.Failed.Encode(); err == nil {
			sealed, err = record.Seal(record.KindError, record.ErrorHeader{
				Head: task.Function.Head(task.Place.Key, task.RunID),
				Call: task.Function.Describe(task.Pipeline), Run: done.Run, Message: done.Run.Error,
			}, body)
		}
	case done.Result.Record.Header != nil:
		var header record.ResultHeader
		if err = done.Result.Into(&header); err == nil {
			sealed, err = record.Seal(record.KindResult, header, done.Result.Body)
		}
	default:
		err = errors.New("the run left neither a result nor an error")
	}
	if err != nil {
		return err
	}
	return os.WriteFile(p.Spec.Verify, sealed, 0o600)
}
