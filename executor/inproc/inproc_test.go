package inproc_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
)

var maker = executortest.Maker{New: func() executor.Executor { return inproc.New() }}

func TestMain(m *testing.M) { executortest.Main(m, maker) }

func TestConformance(t *testing.T) { executortest.Run(t, maker) }

func TestLimit(t *testing.T) {
	if got, want := inproc.New().Limit(), runtime.GOMAXPROCS(0); got != want {
		t.Errorf("the default limit is %d, want %d", got, want)
	}
	for n, want := range map[int]int{7: 7, 0: 0, -1: 0} {
		if got := inproc.New(inproc.Limit(n)).Limit(); got != want {
			t.Errorf("Limit(%d) is %d, want %d", n, got, want)
		}
	}
}

func panicWith(value any) int { panic(value) }

func TestAbortedWork(t *testing.T) {
	for name, c := range map[string]struct {
		work func(context.Context) int
		want string
	}{
		"panic":     {func(context.Context) int { panic("ouch") }, "panicked: ouch"},
		"panic nil": {func(context.Context) int { return panicWith(nil) }, "panicked: "},
		"goexit":    {func(context.Context) int { runtime.Goexit(); return 0 }, "Goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := inproc.New().Start(t.Context(), executor.Invocation{Function: "f@1", Work: c.work})
			if err != nil {
				t.Fatal(err)
			}
			exit, err := w.Wait(t.Context())
			if err != nil || exit.Code != -1 || exit.Err == nil || exit.Err.Reason != executor.WorkerFailed {
				t.Fatalf("exit %+v, %v; want -1, WorkerFailed", exit, err)
			}
			if !strings.Contains(exit.Err.Message, c.want) {
				t.Errorf("%q does not say %q", exit.Err.Message, c.want)
			}
			if strings.Contains(name, "panic") && !strings.Contains(exit.Err.Tail, "inproc_test.go") {
				t.Errorf("the tail does not say where:\n%s", exit.Err.Tail)
			}
		})
	}
}

func TestNoWork(t *testing.T) {
	_, err := inproc.New().Start(t.Context(), executor.Invocation{Function: "f@1"})
	if failure, ok := errors.AsType[*executor.Error](err); !ok || failure.Reason != executor.LaunchFailed {
		t.Errorf("Start without work: %v", err)
	}
}

// TestContext: values are handed on, cancellation is not, and the end of the
// work releases the context.
func TestContext(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	var inside context.Context
	w, err := inproc.New().Start(ctx, executor.Invocation{Work: func(ctx context.Context) int {
		cancel()
		inside = ctx
		if ctx.Err() != nil || ctx.Value(key{}) != "value" {
			return executor.ExitFunc
		}
		return executor.ExitOK
	}})
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := w.Wait(t.Context()); err != nil || exit.Code != executor.ExitOK {
		t.Errorf("exit %+v, %v", exit, err)
	}
	if inside.Err() == nil {
		t.Error("the function's context outlives the function")
	}
}

func BenchmarkStartWait(b *testing.B) {
	e := inproc.New()
	ctx := b.Context()
	inv := executor.Invocation{Function: "f@1", Work: func(context.Context) int { return executor.ExitOK }}
	b.ReportAllocs()
	for b.Loop() {
		w, err := e.Start(ctx, inv)
		if err != nil {
			b.Fatal(err)
		}
		w.Wait(ctx)
	}
}
