//go:build linux || darwin

package subprocess

import (
	"context"
	"fmt"
	"sync"
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
	present := runs(id)
	alive, known := id.Alive()
	switch {
	case !known:
		return nil, fmt.Errorf("attach to the worker of %s, process %d on %q, from %q: %w (%w)",
			inv.Function, id.PID, id.Host, process.Self().Host, executor.ErrGone, process.ErrElsewhere)
	case !alive || !present:
		return nil, fmt.Errorf("attach to the worker of %s, process %d: %w", inv.Function, id.PID, executor.ErrGone)
	}
	return &attached{
		name:  fmt.Sprintf("worker of %s (process %d)", inv.Function, id.PID),
		id:    id,
		grace: e.grace,
	}, nil
}

// runs reports whether a process, if it lives, still runs that very call. Where
// that cannot be seen, it does as long as it lives.
func runs(h process.Handle) bool {
	n, err := openNumber(h)
	if err != nil {
		return true
	}
	defer n.Close()
	return n.is(h.Call)
}

// attached is a worker that another process started.
type attached struct {
	name  string
	id    process.Handle
	grace time.Duration
}

func (w *attached) Handle() string { return w.id.String() }

// Wait returns when the call has ended. Only the parent of its process learns its
// exit code; the store has the call's outcome.
func (w *attached) Wait(ctx context.Context) (executor.Exit, error) {
	if err := w.wait(ctx); err != nil {
		return executor.Exit{}, err
	}
	if alive, _ := w.id.Alive(); !alive {
		w.id.SignalGroup(syscall.SIGKILL) // processes that it left behind
	}
	return executor.Exit{Code: -1, Err: &executor.Error{
		Reason:  executor.WorkerLost,
		Message: "the " + w.name + " ended; it was not started by this process, which therefore cannot know its exit code; its result is in the store, if it has one",
	}}, nil
}

// lookEvery is how often we look whether a process that lives runs another call.
// One whose parent died does not: it ends.
const lookEvery = 50 * time.Millisecond

func (w *attached) wait(ctx context.Context) error {
	if w.id.Call == 0 {
		return w.id.Wait(ctx)
	}
	watching, cancel := context.WithCancel(ctx)
	ended := false
	var looking sync.WaitGroup
	looking.Go(func() {
		defer cancel()
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for {
			if ended = !runs(w.id); ended {
				return
			}
			select {
			case <-watching.Done():
				return
			case <-ticker.C:
			}
		}
	})
	err := w.id.Wait(watching)
	cancel()
	looking.Wait()
	if ended {
		return nil
	}
	return err
}

// Stop is like that of a child.
func (w *attached) Stop(ctx context.Context) error {
	if runs, err := w.claim(ctx); err != nil {
		return fmt.Errorf("stop the %s: %w", w.name, err)
	} else if !runs {
		return nil
	}
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

// claim keeps the process from taking another call, and reports whether it still
// runs the one that is to be stopped.
func (w *attached) claim(ctx context.Context) (runs bool, err error) {
	n, err := openNumber(w.id)
	if err != nil {
		return true, nil
	}
	defer n.Close()
	for {
		swapped, err := n.swap(w.id.Call, stoppedCall)
		if err == nil {
			return swapped || n.is(w.id.Call), nil
		}
		select { // somebody else has the lock for a moment
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (w *attached) Release() {}
