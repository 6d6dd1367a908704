package mops_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// counted defines a function that counts its runs.
func counted(t *testing.T, options ...mops.FuncOption) (*mops.Func[int, int], *atomic.Int64) {
	t.Helper()
	var runs atomic.Int64
	f := mops.Define("counted", func(_ context.Context, n int) (int, error) {
		runs.Add(1)
		return 2 * n, nil
	}, append([]mops.FuncOption{private()}, options...)...)
	return f, &runs
}

func TestACallIsComputedOnceAndThenAHit(t *testing.T) {
	ctx := mopstest.Context(t)
	f, runs := counted(t)
	out, first, err := f.Do(ctx, 21)
	if err != nil || out != 42 || first.Outcome != mops.Computed || first.Run == "" {
		t.Fatalf("%d, %+v, %v", out, first, err)
	}
	out, second, err := f.Do(ctx, 21)
	if err != nil || out != 42 || second.Outcome != mops.Hit {
		t.Fatalf("%d, %+v, %v", out, second, err)
	}
	if second.URI != first.URI || second.Run != first.Run {
		t.Errorf("the hit is of %+v, and the result was made by %+v", second, first)
	}
	if runs.Load() != 1 {
		t.Errorf("it ran %d times", runs.Load())
	}
}

func TestTheMemoURINamesRootPipelineFunctionAndVersion(t *testing.T) {
	ctx, root := onDisk(t, mops.Pipeline("forecast"))
	f := mops.Define("clean/rows", double, private(), mops.Version("2026-04"))
	_, info, err := f.Do(ctx, 1)
	if err != nil || !strings.HasPrefix(info.URI, root+"/mops1/forecast/clean/rows@2026-04/") {
		t.Errorf("%+v, %v", info, err)
	}
	if f.Name() != "clean/rows" {
		t.Errorf("name %s", f.Name())
	}
}

func TestCallersOfTheSameCallShareOneRun(t *testing.T) {
	ctx := mopstest.Context(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var runs atomic.Int64
	f := mops.Define("slow", func(_ context.Context, n int) (int, error) {
		runs.Add(1)
		close(begun)
		<-goOn
		return n, nil
	}, private())
	outcomes := make(chan mops.Outcome, 8)
	var callers sync.WaitGroup
	callers.Go(func() {
		_, info, _ := f.Do(ctx, 1)
		outcomes <- info.Outcome
	})
	<-begun
	var joined sync.WaitGroup
	for range 7 {
		call, err := f.Start(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		joined.Go(func() {
			<-call.Done()
			outcomes <- call.Info().Outcome
		})
	}
	close(goOn)
	callers.Wait()
	joined.Wait()
	close(outcomes)
	count := map[mops.Outcome]int{}
	for o := range outcomes {
		count[o]++
	}
	if runs.Load() != 1 || count[mops.Computed] != 1 || count[mops.Awaited] != 7 {
		t.Errorf("%d runs, outcomes %v", runs.Load(), count)
	}
}

func TestAnotherEnvironmentAwaitsOrHits(t *testing.T) {
	ctx, root := onDisk(t)
	_, other := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
	begun, goOn := make(chan struct{}), make(chan struct{})
	f := mops.Define("slow", func(_ context.Context, n int) (int, error) {
		close(begun)
		<-goOn
		return n, nil
	}, private())
	first, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := f.Start(other, 1)
	if err != nil {
		t.Fatal(err)
	}
	close(goOn)
	must(first.Wait(ctx))
	if out, err := second.Wait(ctx); err != nil || out != 1 {
		t.Fatal(out, err)
	}
	// The second may have looked only after the result was there.
	if o := second.Info().Outcome; o != mops.Awaited && o != mops.Hit {
		t.Errorf("the second caller's outcome is %s", o)
	}
	if second.Info().Run != first.Info().Run {
		t.Error("two runs were made")
	}
}

func TestACallWithoutAnEnvironmentNamesTheWaysOut(t *testing.T) {
	f, runs := counted(t)
	_, err := f.Call(t.Context(), 1)
	if !errors.Is(err, mops.ErrNoEnvironment) {
		t.Fatal(err)
	}
	mentions(t, err, "counted", "mops.Main", "env.Context", "mopstest.Context")
	if _, err := f.Start(t.Context(), 1); !errors.Is(err, mops.ErrNoEnvironment) {
		t.Error(err)
	}
	if _, err := f.All(t.Context(), []int{1, 2}); !errors.Is(err, mops.ErrNoEnvironment) {
		t.Error(err)
	}
	if runs.Load() != 0 {
		t.Error("it ran")
	}
}

func TestCallsOnAClosedEnvironmentFail(t *testing.T) {
	env, err := mops.New(t.Context(), mops.Isolated(), memoryRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx := env.Context(t.Context())
	f, runs := counted(t)
	must(f.Call(ctx, 1))
	for range 2 { // Close may be called again
		if err := env.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range map[string]*mops.Func[int, int]{"plain": f, "off": f.With(mops.Off()), "read-only": f.With(mops.ReadOnly())} {
		if _, err := f.Call(ctx, 2); !errors.Is(err, mops.ErrClosed) {
			t.Errorf("%s: Call: %v", name, err)
		}
		if _, err := f.Start(ctx, 2); !errors.Is(err, mops.ErrClosed) {
			t.Errorf("%s: Start: %v", name, err)
		}
	}
	if runs.Load() != 1 {
		t.Errorf("it ran %d times", runs.Load())
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	for name, option := range map[string]mops.Option{"plain": mops.Join(), "off": mops.Off()} {
		env, err := mops.New(t.Context(), mops.Isolated(), memoryRoot(t))
		if err != nil {
			t.Fatal(err)
		}
		begun := make(chan struct{})
		var ended atomic.Bool
		f := mops.Define("endless", func(ctx context.Context, _ int) (int, error) {
			close(begun)
			<-ctx.Done()
			ended.Store(true)
			return 0, ctx.Err()
		}, private(), option)
		call, err := f.Start(env.Context(t.Context()), 1)
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		if err := env.Close(); err != nil {
			t.Error(err)
		}
		if !ended.Load() {
			t.Errorf("%s: the function still runs after Close", name)
		}
		if _, err := call.Wait(t.Context()); !errors.Is(err, mops.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACancelledCallReturnsAtOnceAndIsNotRecorded(t *testing.T) {
	ctx := mopstest.Context(t)
	begun := make(chan struct{}, 1)
	var wait atomic.Bool
	wait.Store(true)
	f := mops.Define("endless", func(ctx context.Context, n int) (int, error) {
		begun <- struct{}{}
		if wait.Load() {
			<-ctx.Done()
			return 0, errors.New("an error of a run that was cancelled")
		}
		return n, nil
	}, private(), mops.KeepErrors())
	calling, cancel := context.WithCancelCause(ctx)
	why := errors.New("enough")
	go func() { <-begun; cancel(why) }()
	_, err := f.Call(calling, 7)
	if !errors.Is(err, why) {
		t.Fatal(err)
	}
	mentions(t, err, "endless", "mem://")
	wait.Store(false)
	if out, err := f.Call(ctx, 7); err != nil || out != 7 {
		t.Errorf("after a cancelled run: %d, %v", out, err)
	}
}
