package mops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/interrupt"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"
)

// Exit codes of a program that runs under [Main].
const (
	exitOK      = 0
	exitFailed  = 1
	exitPlanned = 3
)

// Main is a program's whole main function. If the process was started as a
// worker, Main becomes the worker. Otherwise it makes the environment, shows
// progress on standard error, runs run, and exits: with 0, with 1 if run failed,
// or with 3 if a [Plan] could go no further. It never returns.
//
// On Ctrl-C, and on SIGTERM, the context of run ends: mops stops the workers
// and releases the leases, and the exit code is 130, or 143 for SIGTERM. A second
// signal ends the program at once; the next run picks up what was left.
//
// When run has returned, Main waits at most 10 s for functions of this process
// that do not heed their context.
func Main(run func(ctx context.Context) error, options ...EnvOption) {
	Init(options...)
	os.Exit(runMain(run, options))
}

func runMain(run func(ctx context.Context) error, options []EnvOption) (exit int) {
	display, tracker, err := show(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	defer display.Close()
	first := newFirstRun()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	env, err := newEnv(ctx, options, inside{output: display.Writer(), color: display.Color(), tracker: tracker})
	if err != nil {
		fmt.Fprintln(display.Writer(), err)
		return exitFailed
	}
	defer onInterrupt(display, cancel, func(e *interrupt.Error) {
		display.Close()
		env.endRun(e.Exit(), true, e)
	})()
	err = errtree.Tame(run(env.Context(ctx)))
	signalled, interrupted := errors.AsType[*interrupt.Error](context.Cause(ctx))
	if closeErr := env.closeSoon(); err == nil && !interrupted {
		err = closeErr
	}
	switch {
	case interrupted:
		exit = signalled.Exit()
	case env.plan != nil && errors.Is(err, ErrPlanned):
		exit = exitPlanned
		fmt.Fprintln(display.Writer(), "this was a plan, and the program went as far as it could:", errtree.Printable(err))
		err = nil
	case err != nil:
		exit = exitFailed
	}
	if err != nil && !(interrupted && (errors.Is(err, context.Canceled) || errors.Is(err, signalled))) {
		fmt.Fprintln(display.Writer(), "error:", errtree.Printable(err))
	}
	env.endRun(exit, interrupted, err)
	display.AtEnd(first.line())
	return exit
}

// closeTime bounds how long a program that is done waits for functions that do
// not heed their context.
const closeTime = 10 * time.Second

// closeSoon is shut, but does not wait for ever: a function in this process
// that does not heed its context cannot be stopped, and must not keep the
// program from ending. Its lease ends with the process.
func (env *Env) closeSoon() error {
	env.endLook()
	closed := make(chan error, 1)
	go func() { closed <- env.shut() }() // ends with shut, or with the process
	for {
		select {
		case err := <-closed:
			return err
		case <-time.After(closeTime):
			if n := env.engine.Stopping(); n > 0 { // they will end, and then their leases are released
				env.logger.Info("waiting for workers to end; Ctrl-C leaves at once", "workers", n)
				continue
			}
			env.logger.Warn("leaving, though a function still runs: it does not heed its context")
			return nil
		}
	}
}

func show(options []EnvOption) (*progress.Display, *progress.Tracker, error) {
	o := gather(options)
	mode, err := progress.ParseMode(cmp.Or(o.progress, os.Getenv("MOPS_PROGRESS")))
	if err != nil {
		return nil, nil, fmt.Errorf("mops: %w", err)
	}
	if planned, _ := o.planned(inside{}); planned != nil { // nothing is under way
		mode = progress.Off
	}
	tracker := progress.NewTracker()
	return progress.Start(tracker, mode), tracker, nil
}

// oneSignal is the time within which a second signal counts as the first:
// timeout(1) sends its signal both to the program and to the program's group.
const oneSignal = 500 * time.Millisecond

// onInterrupt calls cancel at the first signal; at the second it calls last and
// exits.
func onInterrupt(display *progress.Display, cancel context.CancelCauseFunc, last func(*interrupt.Error)) (stop func()) {
	signals := make(chan os.Signal, 2)
	interrupt.Notify(signals)
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		cause := &interrupt.Error{}
		select {
		case cause.Signal = <-signals:
		case <-ended:
			return
		}
		first := time.Now()
		again := "press Ctrl-C again to leave at once"
		if cause.Signal == syscall.SIGTERM { // from a scheduler or a service manager: nobody presses anything
			again = "another signal ends the program at once"
		}
		fmt.Fprintf(display.Writer(), "%v: stopping workers and releasing leases; %s\n", cause, again)
		cancel(cause)
		for {
			select {
			case <-signals:
				if time.Since(first) < oneSignal {
					continue
				}
				last(cause)
				os.Exit(cause.Exit())
			case <-ended:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(ended)
		<-done
	}
}
