//go:build !linux && !darwin

package subprocess

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

type idle struct{ longest time.Duration }

// Start fails: there are no process groups here.
func (e *Executor) Start(_ context.Context, inv executor.Invocation) (executor.Worker, error) {
	return nil, &executor.Error{
		Reason:  executor.LaunchFailed,
		Message: fmt.Sprintf("%s cannot run in a process of its own on %s; use another executor", inv.Function, runtime.GOOS),
		Err:     errors.ErrUnsupported,
	}
}

// Attach fails with executor.ErrGone: nothing was ever started here.
func (e *Executor) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	return nil, fmt.Errorf("subprocess on %s: %w", runtime.GOOS, executor.ErrGone)
}

// EndIdle does nothing: nothing was ever started here.
func (e *Executor) EndIdle() {}
