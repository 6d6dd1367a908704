package mops_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// quota and *missing come back as themselves; other errors as text.
type quota struct{ Used, Limit int }

func (q quota) Error() string { return fmt.Sprintf("%d of %d used", q.Used, q.Limit) }

type missing struct{ Path string }

func (m *missing) Error() string { return m.Path + " is missing" }

func init() {
	mops.RegisterError[quota]()
	mops.RegisterError[*missing]()
}

// failing fails in the way that its input names.
var failing = mops.Define("test/failing", func(_ context.Context, how string) (int, error) {
	switch how {
	case "quota":
		return 0, fmt.Errorf("at the second step: %w", quota{3, 2})
	case "missing":
		return 0, errors.Join(errors.New("first"), &missing{"a.csv"})
	case "panic":
		panic(&missing{"b.csv"})
	default:
		return 0, fmt.Errorf("reading: %w", &fs.PathError{Op: "open", Path: "c.csv", Err: fs.ErrNotExist})
	}
})

// outer fails because the function that it calls fails.
var outer = mops.Define("test/outer", func(ctx context.Context, how string) (int, error) {
	n, err := failing.Call(ctx, how)
	if err != nil {
		return 0, fmt.Errorf("outer: %w", err)
	}
	return n, nil
}, mops.Calls(failing))

func onSubprocess[In, Out any](f *mops.Func[In, Out]) *mops.Func[In, Out] {
	return f.With(mops.On(subprocess.New()))
}

// places are where a function may run, and how a call may come to its error.
func eachPlace(t *testing.T, check func(t *testing.T, ctx context.Context)) {
	t.Run("in process", func(t *testing.T) { check(t, mopstest.Context(t)) })
	t.Run("off", func(t *testing.T) { check(t, mopstest.Context(t, mops.Off())) })
	t.Run("read-only", func(t *testing.T) { check(t, mopstest.Context(t, mops.ReadOnly())) })
	t.Run("subprocess", func(t *testing.T) { check(t, first(inSubprocesses(t))) })
	t.Run("kept", func(t *testing.T) {
		ctx, _ := onDisk(t, mops.KeepErrors())
		for _, how := range []string{"quota", "missing", "panic", "other"} {
			failing.Call(ctx, how)
			outer.Call(ctx, how)
		}
		check(t, ctx)
	})
}

func TestAFunctionsErrorIsDescribed(t *testing.T) {
	eachPlace(t, func(t *testing.T, ctx context.Context) {
		_, info, err := failing.Do(ctx, "other")
		e, ok := errors.AsType[*mops.FuncError](err)
		if !ok {
			t.Fatalf("%T: %v", err, err)
		}
		if e.Function != "test/failing" || e.URI != info.URI || e.Run == "" || e.Panicked || e.Err != nil ||
			e.Message != "reading: open c.csv: file does not exist" {
			t.Errorf("%+v", e)
		}
		if want := []string{"*fmt.wrapError", "*io/fs.PathError", "*errors.errorString"}; !slices.Equal(e.Types, want) {
			t.Errorf("types %v", e.Types)
		}
		mentions(t, err, e.Message, info.URI, e.Run)
	})
}

func TestErrorsOfRegisteredTypesComeBackAsThemselves(t *testing.T) {
	eachPlace(t, func(t *testing.T, ctx context.Context) {
		_, err := failing.Call(ctx, "quota")
		if q, ok := errors.AsType[quota](err); !ok || q != (quota{3, 2}) {
			t.Errorf("%v", err)
		}
		if _, ok := errors.AsType[*missing](err); ok {
			t.Errorf("%v", err)
		}
		_, err = failing.Call(ctx, "missing")
		if m, ok := errors.AsType[*missing](err); !ok || m.Path != "a.csv" {
			t.Errorf("%v", err)
		}
		mentions(t, err, "first")
		_, err = failing.Call(ctx, "panic")
		if m, ok := errors.AsType[*missing](err); !ok || m.Path != "b.csv" {
			t.Errorf("%v", err)
		}
	})
}

func TestTheErrorOfANestedCallComesThrough(t *testing.T) {
	eachPlace(t, func(t *testing.T, ctx context.Context) {
		_, err := outer.Call(ctx, "quota")
		e, ok := errors.AsType[*mops.FuncError](err)
		if !ok || e.Function != "test/outer" || !slices.Contains(e.Types, "*github.com/TrilliantHealth/mops-go.FuncError") {
			t.Errorf("%+v", e)
		}
		if q, ok := errors.AsType[quota](err); !ok || q != (quota{3, 2}) {
			t.Errorf("%v", err)
		}
		mentions(t, err, "outer: test/failing failed: at the second step: 3 of 2 used")
	})
}

func TestAllWhoWaitGetTheErrorOfOneRun(t *testing.T) {
	ctx := mopstest.Context(t)
	const waiters = 64
	in := private()
	mops.RegisterError[quota](in)
	joined := make(chan struct{})
	runs := 0
	f := mops.Define("f", func(context.Context, int) (int, error) {
		runs++
		<-joined
		return 0, quota{runs, 0}
	}, in)
	var all sync.WaitGroup
	for range waiters {
		call, err := f.Start(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			_, err := call.Wait(ctx)
			if q, ok := errors.AsType[quota](err); !ok || q.Used != 1 {
				t.Errorf("%v", err)
			}
			if e, ok := errors.AsType[*mops.FuncError](err); !ok || e.URI != call.URI() {
				t.Errorf("%v", err)
			}
		})
	}
	close(joined)
	all.Wait()
	if runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

type opaque struct{ reason error }

func (opaque) Error() string { return "opaque" }

func TestAnErrorTypeThatCannotBeEncodedIsRefused(t *testing.T) {
	if message := panics(t, func() { mops.RegisterError[opaque](private()) }); !strings.Contains(message, "reason") {
		t.Error(message)
	}
	if message := panics(t, func() { mops.RegisterError[quota]() }); !strings.Contains(message, "twice") {
		t.Error(message)
	}
	_ = opaque{nil}
}

func TestACycleIsAnError(t *testing.T) {
	for name, option := range map[string]mops.Option{"kept": mops.Join(), "off": mops.Off(), "read-only": mops.ReadOnly()} {
		ctx := mopstest.Context(t, option)
		in := private()
		a, b := mops.Declare[int, int]("a", in), mops.Declare[int, int]("b", in)
		var seen error
		a.Implement(func(ctx context.Context, n int) (int, error) { return b.Call(ctx, n) })
		b.Implement(func(ctx context.Context, n int) (_ int, err error) { _, seen = a.Call(ctx, n); return 0, seen })
		_, err := a.Call(ctx, 1)
		mentions(t, err, "waits for itself")
		if !errors.Is(seen, mops.ErrCycle) {
			t.Errorf("%s: %v", name, seen)
		}
	}
}

func TestTwoFunctionsThatWaitForEachOtherAreACycle(t *testing.T) {
	// Neither is in the chain of the other: both were called from outside.
	ctx := mopstest.Context(t, mops.On(inproc.New(inproc.Limit(0))))
	in := private()
	a, b := mops.Declare[int, int]("a", in), mops.Declare[int, int]("b", in)
	var both sync.WaitGroup
	both.Add(2)
	meet := func(other *mops.Func[int, int]) func(context.Context, int) (int, error) {
		return func(ctx context.Context, n int) (int, error) {
			both.Done()
			both.Wait()
			return other.Call(ctx, n)
		}
	}
	a.Implement(meet(b))
	b.Implement(meet(a))
	one, err := a.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Call(ctx, 1)
	mentions(t, err, "waits for itself")
	_, err = one.Wait(ctx)
	mentions(t, err, "waits for itself")
}
