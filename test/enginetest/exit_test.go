//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/executor"
)

// scripted is an executor whose workers do what the test says and exit with 0.
type scripted struct{ work func(executor.Invocation) }

func (scripted) Name() string { return "scripted" }

func (s scripted) Start(_ context.Context, inv executor.Invocation) (executor.Worker, error) {
	s.work(inv)
	return exited{}, nil
}

func (scripted) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	return nil, executor.ErrGone
}

type exited struct{}

func (exited) Handle() string                              { return "" }
func (exited) Wait(context.Context) (executor.Exit, error) { return executor.Exit{}, nil }
func (exited) Stop(context.Context) error                  { return nil }
func (exited) Release()                                    {}

// A result that cannot be read is not one that the worker failed to leave.
func TestUnreadableResultOfAWorker(t *testing.T) {
	root := faulty + ":" + inMemory(t)
	var denied atomic.Bool
	plans.Store(root, blobtest.FaultPlan{Before: func(op blobtest.Op, key string) error {
		if denied.Load() && strings.HasSuffix(key, "/result") {
			return &driver.Error{Kind: driver.Denied, Err: errors.New("not today")}
		}
		return nil
	}})
	defer plans.Delete(root)
	b := &table{t: t, root: root}
	ctx, end := b.env()
	defer end()
	f := mops.Define("f", func(context.Context, int) (int, error) { return 1, nil }, mops.In(mops.NewRegistry()))
	_, err := f.With(mops.On(&scripted{func(executor.Invocation) { denied.Store(true) }})).Call(ctx, 1)
	if !blob.Is(err, blob.Denied) {
		t.Errorf("%v; want what the store says", err)
	}
}

// Of a worker that was to replace a result and says that it is done, another may
// have been faster; else it has left nothing.
func TestRefreshByAWorkerThatPutsNothing(t *testing.T) {
	root := faulty + ":" + inMemory(t) // a worker could read it
	plans.Store(root, blobtest.FaultPlan{})
	defer plans.Delete(root)
	b := &table{t: t, root: root}
	ctx, end := b.env()
	defer end()
	var err error
	if b.store, err = blob.Open(ctx, root); err != nil {
		t.Fatal(err)
	}
	f := mops.Define("f", func(context.Context, int) (int, error) { return 1, nil }, mops.In(mops.NewRegistry()))
	if _, err := f.Call(ctx, 1); err != nil {
		t.Fatal(err)
	}
	on := func(work func(executor.Invocation)) *mops.Func[int, int] {
		return f.With(mops.Refresh(), mops.On(&scripted{work}))
	}
	_, err = on(func(executor.Invocation) {}).Call(ctx, 1)
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != executor.NoResult {
		t.Errorf("nobody put anything: %v; want %v", err, executor.NoResult)
	}
	faster := func(inv executor.Invocation) {
		_, path, _ := strings.Cut(inv.MemoURI, "/mops1/")
		b.put("mops1/"+path+"/result", b.read("mops1/"+path+"/result"))
	}
	out, info, err := on(faster).Do(ctx, 1)
	if err != nil || out != 1 || info.Outcome != mops.Awaited {
		t.Errorf("another was faster: %d, %+v, %v", out, info, err)
	}
}
