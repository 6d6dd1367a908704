package mops_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// gated defines a function whose runs say that they have begun, and go on when
// told; a run whose context ends says so.
func gated() (f *mops.Func[int, int], begun, goOn, stopped chan struct{}) {
	begun, goOn, stopped = make(chan struct{}, 100), make(chan struct{}), make(chan struct{}, 100)
	f = mops.Define("gated", func(ctx context.Context, n int) (int, error) {
		begun <- struct{}{}
		select {
		case <-goOn:
			return n, nil
		case <-ctx.Done():
			stopped <- struct{}{}
			return 0, ctx.Err()
		}
	}, private(), mops.On(inproc.New(inproc.Limit(0)))) // however few processors there are
	return f, begun, goOn, stopped
}

func TestAStartedCallTellsHowItGoes(t *testing.T) {
	ctx := mopstest.Context(t)
	f, begun, goOn, _ := gated()
	call, err := f.Start(ctx, 5)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if info := call.Info(); info.URI != call.URI() || info.Outcome != "" {
		t.Errorf("under way: %+v", info)
	}
	impatient, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := call.Wait(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting under a context that has ended: %v", err)
	}
	close(goOn)
	for range 2 { // the result is there for everybody
		if out, err := call.Wait(ctx); err != nil || out != 5 {
			t.Errorf("%d, %v", out, err)
		}
	}
	<-call.Done()
	if info := call.Info(); info.Outcome != mops.Computed || info.Run == "" {
		t.Errorf("ended: %+v", info)
	}
	call.Cancel() // too late
	if out, err := call.Wait(impatient); err != nil || out != 5 {
		t.Errorf("after a cancel that came too late: %d, %v", out, err)
	}
}

func TestAStartedCallThatFailsSaysWhich(t *testing.T) {
	ctx := mopstest.Context(t)
	f, _, _, _ := gated()
	call, err := f.With(mops.Timeout(time.Millisecond)).Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = call.Wait(ctx)
	mentions(t, err, call.URI())
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.URI != call.URI() {
		t.Errorf("%+v", e)
	}
	if info := call.Info(); info != (mops.Info{URI: call.URI()}) {
		t.Errorf("ended: %+v", info)
	}
}

// One slot is enough, whatever context a function waits under for the calls it made.
func TestAFunctionWaitsUnderAnotherContext(t *testing.T) {
	ctx := mopstest.Context(t, mops.On(inproc.New(inproc.Limit(1))))
	inner := mops.Define("inner", func(ctx context.Context, n int) (int, error) { return n + 1, nil }, private())
	outer := mops.Define("outer", func(ctx context.Context, n int) (int, error) {
		call, err := inner.Start(ctx, n)
		if err != nil {
			return 0, err
		}
		return call.Wait(context.Background())
	}, private())
	if out, err := outer.Call(ctx, 1); err != nil || out != 2 {
		t.Errorf("%d, %v", out, err)
	}
}

func TestACancelRightAfterTheEndComesTooLate(t *testing.T) {
	ctx := mopstest.Context(t)
	f := mops.Define("f", double, private())
	for n := range 2000 { // the end and what follows it are a moment apart
		call, err := f.Start(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		<-call.Done()
		call.Cancel()
		if out, err := call.Wait(ctx); err != nil || out != 2*n {
			t.Fatalf("%d, %v", out, err)
		}
	}
}

func TestCancelStopsTheFunction(t *testing.T) {
	ctx := mopstest.Context(t)
	f, begun, _, stopped := gated()
	call, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	call.Cancel()
	<-stopped
	<-call.Done()
	if _, err := call.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTheEndOfItsContextCancelsACall(t *testing.T) {
	ctx := mopstest.Context(t)
	f, begun, _, stopped := gated()
	why := errors.New("enough")
	starting, cancel := context.WithCancelCause(ctx)
	call, err := f.Start(starting, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	cancel(why)
	<-stopped
	if _, err := call.Wait(ctx); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestCancelLeavesTheCallToOthersWhoWait(t *testing.T) {
	ctx := mopstest.Context(t)
	f, begun, goOn, stopped := gated()
	first, err := f.Start(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := f.Start(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	first.Cancel()
	if _, err := first.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the one who cancelled: %v", err)
	}
	close(goOn)
	if out, err := second.Wait(ctx); err != nil || out != 3 {
		t.Errorf("the other: %d, %v", out, err)
	}
	if _, err := first.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the one who cancelled, later: %v", err)
	}
	select {
	case <-stopped:
		t.Error("the function was stopped")
	default:
	}
}

func TestACallThatNobodyWaitsForIsMade(t *testing.T) {
	ctx := mopstest.Context(t)
	f, runs := counted(t)
	call, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-call.Done()
	if _, info, err := f.Do(ctx, 1); err != nil || info.Outcome != mops.Hit || runs.Load() != 1 {
		t.Errorf("%+v, %v, %d runs", info, err, runs.Load())
	}
}

// A program may start calls for days on one context: ended calls must leave
// nothing attached to it.
func TestEndedCallsLeaveNothingOnTheirContext(t *testing.T) {
	ctx := mopstest.Context(t)
	big := mops.Define("big", func(_ context.Context, n int) ([]byte, error) { return make([]byte, 1<<20), nil }, private(), mops.Off())
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	for i := range 100 {
		call, err := big.Start(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		<-call.Done()
	}
	if after := live(); after > before+20<<20 {
		t.Errorf("%d MiB are held after 100 calls of 1 MiB", (after-before)>>20)
	}
}

func TestNoGoroutineStaysBehindAClosedEnvironment(t *testing.T) {
	before := runtime.NumGoroutine()
	env, err := mops.New(t.Context(), mops.Isolated(), mops.Root("file://"+t.TempDir()), mops.CacheDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(env.Context(t.Context()))
	if _, err := mops.Define("f", double, private()).All(ctx, []int{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	f, begun, _, _ := gated()
	for i := range 4 {
		if _, err := f.Start(ctx, i); err != nil { // dropped
			t.Fatal(err)
		}
	}
	<-begun
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for deadline := time.Now().Add(2 * time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
