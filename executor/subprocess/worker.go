//go:build linux || darwin

package subprocess

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// Start starts a process for the invocation, in a process group of its own,
// with nothing to read from standard input. The chunks that inv.Log gets are
// valid during the call only.
func (e *Executor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	orphans.reap()
	path, arguments := e.command()
	if err := ctx.Err(); err != nil {
		return nil, &executor.Error{
			Reason: executor.LaunchFailed, Message: inv.Function + " was cancelled before it started", Err: err,
		}
	}
	c, err := e.child(path, arguments, inv)
	if err != nil {
		return nil, launchFailed(inv.Function, path, e.dir, err)
	}
	w := &worker{
		child:  c,
		idle:   &e.idle,
		name:   fmt.Sprintf("worker of %s (process %d)", inv.Function, c.id.PID),
		handle: c.handle(),
		grace:  e.grace,
		log:    inv.Log,
		reaped: make(chan struct{}),
		done:   make(chan struct{}),
	}
	ctx, w.unwatch = context.WithCancel(context.Background())
	go w.watch(ctx)
	return w, nil
}

// child returns a process that has begun the invocation.
func (e *Executor) child(path string, arguments []string, inv executor.Invocation) (*child, error) {
	base := environ(os.Environ(), e.env)
	stay := e.stay && canStay
	for stay && !slices.Contains(inv.Failed, executor.ReusedWorker) {
		c := e.idle.take(base)
		if c == nil {
			break
		}
		err := c.hand(inv.Env)
		if err == nil {
			return c, nil
		}
		if inv.Logger != nil {
			inv.Logger.Debug("a worker process that waited for a call is of no use any more", "process", c.id.PID, "calls", c.calls, "error", err)
		}
		c.kill()
		c.closeOurs()
	}
	return launch(path, arguments, e.dir, base, inv.Env, stay)
}

type worker struct {
	*child
	idle    *idle // where the process goes if it stays
	name    string
	handle  string
	grace   time.Duration
	log     func([]byte)
	tail    tail
	unwatch context.CancelFunc
	reaped  chan struct{} // closed when the call has ended and, unless it stays, the process is gone
	done    chan struct{} // closed when nobody watches any more; then exit is set, unless the worker was released
	exit    executor.Exit
	left    bool // other processes are left in its group; read it only after reaped is closed

	mu       sync.Mutex
	gone     bool // the call has ended: the process, or its number, may be another's
	stopped  bool
	released bool
}

// watch sees the worker to its end, or until unwatch.
func (w *worker) watch(ctx context.Context) {
	defer close(w.done)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		w.read()
	}()
	e := ending{worker: w.name, tail: &w.tail, before: w.calls - 1, used: w.child.used}
	var err error
	if e.report, err = w.wait(ctx); err == nil {
		err = w.conclude(&e)
	}
	// All output of the call is in the pipe by now. Other processes may hold the
	// pipe open; do not wait for them.
	w.output.SetReadDeadline(time.Unix(1, 0))
	<-reading
	switch {
	case err == nil:
		w.exit = e.exit()
	case ctx.Err() == nil:
		w.exit = executor.Exit{Code: -1, Err: &executor.Error{
			Reason:  executor.WorkerLost,
			Message: "the " + w.name + " ended, but somebody else in this program took its exit code; see who calls wait4(-1)",
			Err:     err,
		}}
	}
	if e.stays {
		w.child.used = e.report.CPU
		w.idle.put(w.child)
	} else {
		w.closeOurs()
	}
}

// conclude ends the call: with its process, unless that stays.
func (w *worker) conclude(e *ending) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		w.gone = true
		close(w.reaped)
	}()
	if e.report != nil && e.report.Stays && !w.stopped {
		if e.stays, _ = w.number.swap(w.calls, noCall); e.stays {
			return nil
		}
	}
	return w.reap(e)
}

// read hands the worker's output to its log, until the pipe ends or, past the
// reading deadline, is empty.
func (w *worker) read() {
	take := func(chunk []byte) {
		w.tail.add(chunk)
		if w.log != nil {
			w.log(chunk)
		}
	}
	if !inherit.ReadAll(w.output, take) {
		inherit.ReadRest(w.output, take)
	}
}

// reap kills the rest of the group, then takes the exit code: the number is
// ours only until the process is reaped. The caller holds w.mu.
func (w *worker) reap(e *ending) error {
	process.KillGroup(w.id.PID, syscall.SIGKILL)
	var err error
	for {
		_, err = syscall.Wait4(w.id.PID, &e.status, 0, &e.usage)
		if err != syscall.EINTR {
			break
		}
	}
	if e.status.Signaled() && e.status.Signal() == syscall.SIGKILL {
		e.killer = countOOMKills().since(w.kills)
	}
	e.stopped = w.stopped
	w.left = syscall.Kill(-w.id.PID, 0) == nil
	return err
}

func (w *worker) Handle() string { return w.handle }

// Wait returns when the process has ended and inv.Log has got all its output.
// After Release it fails.
func (w *worker) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-w.done:
	default:
		select {
		case <-w.done:
		case <-ctx.Done():
			return executor.Exit{}, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.gone {
		return executor.Exit{}, w.errReleased()
	}
	return w.exit, nil
}

// Stop sends SIGTERM to the process group and, if the worker has not ended
// after the executor's Grace or when the context ends, SIGKILL. It returns when
// nothing of the group runs any more. It cannot reach a process that left the
// group (setsid).
func (w *worker) Stop(ctx context.Context) error {
	if err := w.signal(syscall.SIGTERM); err != nil {
		return err
	}
	grace := time.NewTimer(w.grace)
	defer grace.Stop()
	select {
	case <-w.reaped:
	case <-grace.C:
	case <-ctx.Done():
	}
	if err := w.signal(syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-w.reaped:
	case <-ctx.Done():
		return fmt.Errorf("stop the %s: it was sent SIGKILL, but its end was not seen: %w", w.name, ctx.Err())
	}
	if !w.left {
		return nil
	}
	if err := w.id.WaitGroup(ctx); err != nil {
		return fmt.Errorf("stop the %s: it is gone, but the end of processes that it started was not seen: %w", w.name, err)
	}
	return nil
}

// signal sends a signal to the group, SIGTERM once only.
func (w *worker) signal(signal syscall.Signal) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.gone:
		return nil
	case w.released:
		return w.errReleased()
	case signal == syscall.SIGTERM && w.stopped:
		return nil
	}
	w.stopped = true
	if err := process.KillGroup(w.id.PID, signal); err != nil {
		return fmt.Errorf("stop the %s: %w", w.name, err)
	}
	return nil
}

func (w *worker) errReleased() error {
	return fmt.Errorf("the %s was released and is not watched any more; attach to it by its handle", w.name)
}

// Release lets the worker run on as an orphan; see package inherit. inv.Log
// must not call it; when Release has returned, nobody calls inv.Log any more.
func (w *worker) Release() {
	w.mu.Lock()
	first := !w.gone && !w.released
	w.released = w.released || first
	w.mu.Unlock()
	if !first {
		return
	}
	w.unwatch()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.gone {
		orphans.add(w.id.PID)
	}
}
