package mops_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// Time passes quickly in these tests: all waits are in one bubble.

func timeoutKinds() map[string]mops.Option {
	return map[string]mops.Option{"kept": mops.Join(), "off": mops.Off(), "read-only": mops.ReadOnly()}
}

func TestATimeoutStopsAFunctionThatHeedsItsContext(t *testing.T) {
	for name, option := range timeoutKinds() {
		synctest.Test(t, func(t *testing.T) {
			ctx := mopstest.Context(t)
			var stopped bool
			f := mops.Define("slow", func(ctx context.Context, n int) (int, error) {
				select {
				case <-time.After(time.Hour):
				case <-ctx.Done():
					stopped = true
				}
				return n, ctx.Err()
			}, private(), mops.Timeout(time.Minute), option)
			start := time.Now()
			_, err := f.Call(ctx, 1)
			if took := time.Since(start); took != time.Minute || !stopped {
				t.Errorf("%s: it took %v, stopped %v", name, took, stopped)
			}
			checkDeadline(t, err)
		})
	}
}

func checkDeadline(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "DeadlineExceeded" || e.URI == "" {
		t.Errorf("%v", err)
	}
	mentions(t, err, "slow", "1m0s", "option Timeout")
}

func TestATimeoutReturnsAlsoIfTheFunctionRunsOn(t *testing.T) {
	for name, option := range timeoutKinds() {
		synctest.Test(t, func(t *testing.T) {
			ctx := mopstest.Context(t)
			var runs atomic.Int64
			f := mops.Define("slow", func(ctx context.Context, n int) (int, error) {
				runs.Add(1)
				time.Sleep(time.Hour)
				return n, nil
			}, private(), mops.Timeout(time.Minute), mops.Retries(3), option)
			start := time.Now()
			_, err := f.Call(ctx, 1)
			if took := time.Since(start); took > 2*time.Minute {
				t.Errorf("%s: it took %v", name, took)
			}
			checkDeadline(t, err)
			mentions(t, err, "does not heed its context")
			if n := runs.Load(); n != 1 {
				t.Errorf("%s: %d runs side by side", name, n)
			}
		})
	}
}

func TestATimeoutIsOfOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := mopstest.Context(t)
		f := mops.Define("slow", func(ctx context.Context, n int) (int, error) {
			if mops.RunInfo(ctx).Attempt < 3 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			time.Sleep(50 * time.Second)
			return n, nil
		}, private(), mops.Timeout(time.Minute), mops.Retries(2))
		if out, err := f.Call(ctx, 1); err != nil || out != 1 {
			t.Errorf("%d, %v", out, err)
		}
	})
}

func TestAnErrorAfterTheTimeoutIsNotTheFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := mopstest.Context(t)
		f := mops.Define("slow", func(ctx context.Context, n int) (int, error) {
			if _, hurried := ctx.Deadline(); hurried {
				<-ctx.Done()
				return 0, errors.New("I was interrupted")
			}
			return n, nil
		}, private(), mops.KeepErrors())
		_, err := f.With(mops.Timeout(time.Minute)).Call(ctx, 1)
		checkDeadline(t, err)
		if out, err := f.Call(ctx, 1); err != nil || out != 1 {
			t.Errorf("%d, %v", out, err)
		}
	})
}

// A call that was given up while its function runs on is not computed twice at
// once: the next one waits until the function has returned.
func TestTheNextCallWaitsForAFunctionThatRunsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := mopstest.Context(t)
		var running atomic.Int64
		f := mops.Define("slow", func(ctx context.Context, n int) (int, error) {
			if running.Add(1) > 1 {
				t.Error("it runs twice at once")
			}
			defer running.Add(-1)
			time.Sleep(10 * time.Minute)
			return n, nil
		}, private())
		_, err := f.With(mops.Timeout(time.Minute)).Call(ctx, 1)
		checkDeadline(t, err)
		if out, err := f.Call(ctx, 1); err != nil || out != 1 {
			t.Errorf("%d, %v", out, err)
		}
	})
}
