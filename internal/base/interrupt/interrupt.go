// Package interrupt knows the signals that ask a program to end: SIGINT, which
// Ctrl-C sends, and SIGTERM, which schedulers and service managers send.
package interrupt

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// Error says that a signal asked the program to end.
type Error struct{ Signal os.Signal }

func (e *Error) Error() string {
	if e.Signal == syscall.SIGTERM {
		return "terminated by SIGTERM"
	}
	return "interrupted"
}

// Exit is the exit code of a program that ends for it, as shells report it: 128
// and the number of the signal.
func (e *Error) Exit() int {
	if e.Signal == syscall.SIGTERM {
		return 128 + int(syscall.SIGTERM)
	}
	return 128 + int(syscall.SIGINT)
}

// Notify sends these signals to c.
func Notify(c chan<- os.Signal) { signal.Notify(c, os.Interrupt, syscall.SIGTERM) }

// Context ends with an [Error] at the first signal. The second one ends the
// process. stop ends the context and leaves signals alone again.
func Context(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	Notify(signals)
	go func() {
		defer close(done)
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			cancel(&Error{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// Of is why a context ended: the signal, or Ctrl-C where there was none. It is
// nil for one that has not ended.
func Of(ctx context.Context) *Error {
	if ctx.Err() == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
		return e
	}
	return &Error{os.Interrupt}
}
