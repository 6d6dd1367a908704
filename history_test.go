package mops_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
)

var (
	pastTrain = mops.Define("history/train", func(_ context.Context, in int) (int, error) {
		time.Sleep(time.Millisecond)
		return in, nil
	})
	pastOther = mops.Define("history/other", func(_ context.Context, in int) (int, error) { return in, nil })
)

// An executor learns how earlier runs of a function went: those that the store has,
// and at once those of its own process.
func TestHistory(t *testing.T) {
	var known []executor.Past
	asking := &wildExecutor{start: func(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
		var err error
		if known, err = inv.History(ctx); err != nil {
			t.Error(err)
		}
		code := inv.Work(ctx)
		return &wildWorker{wait: func(context.Context) (executor.Exit, error) { return executor.Exit{Code: code}, nil }}, nil
	}}
	dying := &wildExecutor{elsewhere: true, start: func(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
		return &wildWorker{wait: func(context.Context) (executor.Exit, error) {
			return executor.Exit{Code: -1, PeakMemory: 1 << 30, Err: &executor.Error{Reason: executor.OOMKilled, Message: "it had 1 GiB"}}, nil
		}}, nil
	}}
	root := "file://" + t.TempDir()
	call := func(t *testing.T, ctx context.Context, f *mops.Func[int, int], in int, options ...mops.Option) error {
		t.Helper()
		_, err := f.With(options...).Call(ctx, in)
		return err
	}
	_, first := newEnv(t, mops.Root(root))
	for in := range 3 {
		if err := call(t, first, pastTrain, in); err != nil { // nobody asks
			t.Fatal(err)
		}
	}
	if err := call(t, first, pastTrain, 3, mops.On(dying)); err == nil {
		t.Fatal("a worker died, and the call did not fail")
	}

	_, env := newEnv(t, mops.Root(root))
	for in := 10; in < 13; in++ {
		if err := call(t, env, pastTrain, in, mops.On(asking)); err != nil {
			t.Fatal(err)
		}
		if want := 4 + in - 10; len(known) != want {
			t.Fatalf("%d runs are known, want %d: %+v", len(known), want, known)
		}
		reasons := 0
		for _, run := range known {
			switch {
			case run.Reason == executor.OOMKilled && run.PeakMemory == 1<<30 && run.Executor == "wild":
				reasons++
			case run.Reason != "" || run.Wall < time.Millisecond || run.Platform == "" || run.PeakMemory < 1<<20:
				t.Errorf("%+v", run)
			}
		}
		if reasons != 1 {
			t.Errorf("%+v", known)
		}
	}
	if err := call(t, env, pastTrain, 20, mops.On(dying)); err == nil {
		t.Fatal("a worker died, and the call did not fail")
	}
	if err := call(t, env, pastTrain, 21, mops.On(asking)); err != nil || len(known) != 8 || known[7].Reason != executor.OOMKilled {
		t.Errorf("%v, %+v", err, known)
	}
	if err := call(t, env, pastOther, 1, mops.On(asking)); err != nil || len(known) != 0 {
		t.Errorf("of another function: %v, %+v", err, known)
	}
	if err := call(t, env, pastTrain, 1, mops.On(asking), mops.Pipeline("another")); err != nil || len(known) != 0 {
		t.Errorf("of another pipeline: %v, %+v", err, known)
	}
	if err := call(t, env, pastTrain, 22, mops.On(asking), mops.RequireResults()); !errors.Is(err, mops.ErrNoResult) {
		t.Error(err)
	}
}
