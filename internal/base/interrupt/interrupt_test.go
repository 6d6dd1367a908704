//go:build unix

package interrupt

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestContextEndsWithTheSignal(t *testing.T) {
	for signal, want := range map[syscall.Signal]struct {
		code int
		text string
	}{syscall.SIGINT: {130, "interrupted"}, syscall.SIGTERM: {143, "terminated by SIGTERM"}} {
		ctx, stop := Context(t.Context())
		if e := Of(ctx); e != nil {
			t.Errorf("before the signal: %v", e)
		}
		if err := syscall.Kill(os.Getpid(), signal); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		if e := Of(ctx); e == nil || e.Exit() != want.code || e.Error() != want.text {
			t.Errorf("%v: %v", signal, e)
		}
		stop()
	}
}

func TestContextEndsWithoutASignal(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	for _, end := range []func(stop func()){func(stop func()) { stop() }, func(func()) { cancel() }} {
		ctx, stop := Context(parent)
		end(stop)
		<-ctx.Done()
		if e := Of(ctx); e == nil || e.Exit() != 130 || !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("%v, %v", e, ctx.Err())
		}
		stop()
	}
}
