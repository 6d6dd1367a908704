//go:build linux || darwin

package subprocess

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// Attach finds a worker on this machine by its handle; it need not be a child
// of this process. Its output goes to its present reader, not to inv.Log. For a
// worker on another machine or in another container Attach fails with
// executor.ErrGone: if the worker lives, its own lease says so.
func (e *Executor) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, err := process.ParseHandle(handle)
	if err != nil {
		return nil, fmt.Errorf("attach to the worker of %s: %w (%w)", inv.Function, executor.ErrGone, err)
	}
	alive, known := id.Alive()
	switch {
	case !known:
		return nil, fmt.Errorf("attach to the worker of %s, process %d on %q, from %q: %w (%w)",
			inv.Function, id.PID, id.Host, process.Self().Host, executor.ErrGone, process.ErrElsewhere)
	case !alive || !runs(id):
		return nil, fmt.Errorf("attach to the worker of %s, process %d: %w", inv.Function, id.PID, executor.ErrGone)
	}
	return &attached{
		name:  fmt.Sprintf("worker of %s (process %d)", inv.Function, id.PID),
		id:    id,
		grace: e.grace,
	}, nil
}

// attached is a worker that another process started.
type attached struct {
	name  string
	id    process.Handle
	grace time.Duration
}

func (w *attached) Handle() string { return w.id.String() }

// Wait returns when the process has ended. Only its parent learns its exit
// code; the store has the call's outcome.
func (w *attached) Wait(ctx context.Context) (executor.Exit, error) {
	if err := w.id.Wait(ctx); err != nil {
		return executor.Exit{}, err
	}
	w.id.SignalGroup(syscall.SIGKILL) // processes that it left behind
	return executor.Exit{Code: -1, Err: &executor.Error{
		Reason:  executor.WorkerLost,
		Message: "the " + w.name + " ended; it was not started by this process, which therefore cannot know its exit code; its result is in the store, if it has one",
	}}, nil
}

// Stop is like that of a child.
func (w *attached) Stop(ctx context.Context) error {
	if err := w.id.SignalGroup(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the %s: %w", w.name, err)
	}
	patience, cancel := context.WithTimeout(ctx, w.grace)
	defer cancel()
	w.id.Wait(patience)
	if err := w.id.SignalGroup(syscall.SIGKILL); err != nil {
		return fmt.Errorf("stop the %s: %w", w.name, err)
	}
	if err := w.id.WaitGroup(ctx); err != nil {
		return fmt.Errorf("stop the %s: it was sent SIGKILL, but its end was not seen: %w", w.name, err)
	}
	return nil
}

func (w *attached) Release() {}
