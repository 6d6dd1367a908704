package mops_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// failsWith is a function that fails with err, and counts its runs.
func failsWith(runs *int, err error, options ...mops.FuncOption) *mops.Func[int, int] {
	return mops.Define("failing", func(context.Context, int) (int, error) {
		*runs++
		return 0, err
	}, append(options, mops.In(mops.NewRegistry()), mops.Retries(3), mops.RetryDelay(time.Millisecond))...)
}

func TestFinal(t *testing.T) {
	hopeless := errors.New("hopeless")
	for _, final := range []error{mops.Final(hopeless), fmt.Errorf("it is: %w", mops.Final(hopeless)), errors.Join(errors.New("a"), mops.Final(hopeless))} {
		runs := 0
		_, err := failsWith(&runs, final).Call(mopstest.Context(t), 1)
		if runs != 1 || !errors.Is(err, mops.ErrFinal) {
			t.Errorf("%d runs, %v", runs, err)
		}
	}
	if err := mops.Final(nil); err != nil {
		t.Errorf("nothing is %v", err)
	}
	if err := mops.Final(hopeless); err.Error() != "hopeless" || !errors.Is(err, hopeless) || !errors.Is(err, mops.ErrFinal) {
		t.Errorf("%v", err)
	}
}

// Whoever returns the error of a call that is final is final, too.
func TestFinalBelow(t *testing.T) {
	registry, runs := mops.NewRegistry(), 0
	inner := mops.Define("inner", func(context.Context, int) (int, error) { return 0, mops.Final(errors.New("hopeless")) }, mops.In(registry))
	outer := mops.Define("outer", func(ctx context.Context, n int) (int, error) {
		runs++
		return inner.Call(ctx, n)
	}, mops.In(registry), mops.Calls(inner), mops.Retries(3))
	if _, err := outer.Call(mopstest.Context(t), 1); runs != 1 || !errors.Is(err, mops.ErrFinal) {
		t.Errorf("%d runs, %v", runs, err)
	}
}

func TestFinalInASubprocess(t *testing.T) {
	ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()), mops.On(subprocess.New()), mops.Retries(3))
	_, info, err := hopeless.Do(ctx, 1)
	failed, ok := errors.AsType[*mops.FuncError](err)
	if !ok || !errors.Is(err, mops.ErrFinal) || failed.Run == "" || info.Made() != (mops.Made{}) {
		t.Errorf("%+v, %v", info, err)
	}
}

var hopeless = mops.Define("retry/hopeless", func(context.Context, int) (int, error) { return 0, mops.Final(errors.New("hopeless")) })

func TestRetryIf(t *testing.T) {
	for _, test := range []struct {
		name  string
		worth func(error) bool
		runs  int
	}{
		{"always", func(error) bool { return true }, 4},
		{"never", func(error) bool { return false }, 1},
		{"panics", func(error) bool { panic("no") }, 1},
		{"by the error", func(err error) bool { _, ok := errors.AsType[*mops.FuncError](err); return ok }, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			runs := 0
			f := failsWith(&runs, errors.New("it is raining"), mops.RetryIf(test.worth))
			if _, err := f.Call(mopstest.Context(t), 1); err == nil || runs != test.runs {
				t.Errorf("%d runs, %v", runs, err)
			}
		})
	}
}

func TestRetryIfOfWorkersThatDie(t *testing.T) {
	runs := 0
	f := mops.Define("counts", func(context.Context, int) (int, error) { runs++; return 7, nil }, mops.In(mops.NewRegistry()),
		mops.Retries(3), mops.RetryDelay(0), mops.RetryIf(func(err error) bool {
			failed, ok := errors.AsType[*mops.ExecError](err)
			return ok && failed.Reason != executor.OOMKilled
		}))
	if n, err := f.Call(mopstest.Fail(mopstest.Context(t), f, executor.WorkerLost, 2), 1); n != 7 || err != nil || runs != 1 {
		t.Errorf("%d, %v, %d runs", n, err, runs)
	}
	if _, err := f.Call(mopstest.Fail(mopstest.Context(t), f, executor.OOMKilled, 2), 1); err == nil || runs != 1 {
		t.Errorf("%v, %d runs", err, runs)
	}
}

func TestRetryDelay(t *testing.T) {
	runs := 0
	f := failsWith(&runs, errors.New("no"))
	begin := time.Now()
	if _, err := f.With(mops.RetryDelay(80*time.Millisecond)).Call(mopstest.Context(t), 1); err == nil || runs != 4 {
		t.Errorf("%v, %d runs", err, runs)
	}
	if took := time.Since(begin); took < 280*time.Millisecond { // the halves of 80, 160 and 320
		t.Errorf("it took %v", took)
	}
	if mops.DefaultRetryDelay >= time.Second {
		t.Errorf("by default a call waits %v", mops.DefaultRetryDelay)
	}
	if _, err := f.With(mops.RetryDelay(-1)).Call(mopstest.Context(t), 1); err == nil {
		t.Error("a negative delay is accepted")
	}
	ctx, cancel := context.WithCancelCause(mopstest.Context(t))
	enough := errors.New("enough")
	hour := mops.Define("waits", func(context.Context, int) (int, error) {
		time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
		return 0, errors.New("no")
	}, private(), mops.Retries(1), mops.RetryDelay(time.Hour))
	if _, err := hour.Call(ctx, 1); !errors.Is(err, enough) {
		t.Errorf("a pause does not heed the context: %v", err)
	}
}

func TestMade(t *testing.T) {
	ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()), mops.On(subprocess.New()))
	var first mops.Made
	for _, outcome := range []mops.Outcome{mops.Computed, mops.Hit} {
		_, info, err := innerPID.Do(ctx, "made")
		made := info.Made()
		if err != nil || info.Outcome != outcome || made.Executor != "subprocess" || made.Host == "" || made.Go == "" || made.Wall <= 0 || time.Since(made.Started) > time.Hour {
			t.Errorf("%+v, %+v, %v", info, made, err)
		}
		if outcome == mops.Computed {
			first = made
		} else if made != first {
			t.Errorf("%+v, then %+v", first, made)
		}
	}
	if err := innerPID.Inject(ctx, "injected", 7); err != nil {
		t.Fatal(err)
	}
	if _, info, err := innerPID.Do(ctx, "injected"); err != nil || !info.Made().Injected {
		t.Errorf("%+v, %v", info.Made(), err)
	}
}
