package mops_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

type scan struct {
	Name   string
	Slices []int
}

// segment is a function that runs on small or large, by its input.
func segment(asked *atomic.Int64, small, large executor.Executor, options ...mops.FuncOption) *mops.Func[scan, int] {
	return mops.Define("byinput/segment", func(_ context.Context, in scan) (int, error) { return len(in.Slices), nil },
		append([]mops.FuncOption{private(), mops.ByInput(func(in scan) executor.Executor {
			asked.Add(1)
			if n := len(in.Slices); n > 0 {
				in.Slices[0] = -1 // it has an input of its own
			}
			if len(in.Slices) > 2 {
				return large
			}
			return small
		})}, options...)...)
}

// The input decides, whichever way the call is made, and only where it is computed.
func TestByInput(t *testing.T) {
	var asked atomic.Int64
	small, large := newTally(), newTally()
	f := segment(&asked, small, large)
	_, ctx := newEnv(t, memoryRoot(t))
	expect := func(what string, wantAsked, wantSmall, wantLarge int64) {
		t.Helper()
		if a, s, l := asked.Load(), small.started.Load(), large.started.Load(); a != wantAsked || s != wantSmall || l != wantLarge {
			t.Errorf("%s: asked %d times, %d small, %d large; want %d, %d, %d", what, a, s, l, wantAsked, wantSmall, wantLarge)
		}
	}
	one, three := scan{"one", []int{1}}, scan{"three", []int{1, 2, 3}}
	for range 3 {
		if n, err := f.Call(ctx, one); n != 1 || err != nil {
			t.Error(n, err)
		}
	}
	expect("Call", 1, 1, 0)
	ins := []scan{one, three, {"four", []int{1, 2, 3, 4}}}
	outs, err := f.All(ctx, ins)
	if err != nil || !slices.Equal(outs, []int{1, 3, 4}) || ins[1].Slices[0] != 1 {
		t.Error(outs, ins, err)
	}
	expect("All", 3, 1, 2)
	for r := range f.Each(ctx, slices.Values([]scan{three, {"two", []int{1, 2}}})) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	expect("Each", 4, 2, 2)
	call, err := f.Start(ctx, scan{Name: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call.Wait(ctx); err != nil {
		t.Error(err)
	}
	expect("Start", 5, 3, 2)

	// The address is that of the function without the option.
	_, info, err := segmentPlain(private()).Do(ctx, one)
	if err != nil || info.Outcome != mops.Hit {
		t.Errorf("%+v, %v: the key depends on the option", info, err)
	}
	for name, option := range map[string]mops.Option{"Off": mops.Off(), "ReadOnly": mops.ReadOnly(), "RequireResults": mops.RequireResults(), "On": mops.On(inproc.New())} {
		if _, err := f.With(option).Call(ctx, scan{name, []int{1}}); err != nil && !errors.Is(err, mops.ErrNoResult) {
			t.Error(name, err)
		}
	}
	expect("nothing to choose", 5, 3, 2)
	if _, err := f.With(mops.Refresh()).Call(ctx, three); err != nil {
		t.Error(err)
	}
	expect("Refresh", 6, 3, 3)
}

func segmentPlain(options ...mops.FuncOption) *mops.Func[scan, int] {
	return mops.Define("byinput/segment", func(_ context.Context, in scan) (int, error) { return len(in.Slices), nil }, options...)
}

// A hit costs no more than without the option.
func TestByInputCostsAHitNothing(t *testing.T) {
	var asked atomic.Int64
	ctx, _ := onDisk(t, mops.KeepRun(false))
	in := scan{"one", []int{1}}
	with := segment(&asked, newTally(), newTally())
	if _, err := with.Call(ctx, in); err != nil {
		t.Fatal(err)
	}
	allocations := func(f *mops.Func[scan, int]) (least float64) {
		least = math.Inf(1)
		for range 5 { // what else goes on in this process, such as the renewal of a session, only adds
			least = min(least, testing.AllocsPerRun(100, func() {
				if _, err := f.Call(ctx, in); err != nil {
					t.Fatal(err)
				}
			}))
		}
		return least
	}
	if plain, more := allocations(segmentPlain(private())), allocations(with); more > plain || asked.Load() != 1 {
		t.Errorf("%v allocations with ByInput, %v without; asked %d times", more, plain, asked.Load())
	}
}

// A call fails, and says why, if its executor cannot be chosen; the next, on an
// executor that can, computes it.
func TestByInputFails(t *testing.T) {
	var none *subprocess.Executor
	for name, c := range map[string]struct {
		choose func(int) executor.Executor
		says   []string
	}{
		"nil":       {func(int) executor.Executor { return nil }, []string{"nil", "return an executor"}},
		"typed nil": {func(int) executor.Executor { return none }, []string{"nil *subprocess.Executor"}},
		"panic":     {func(int) executor.Executor { panic("no idea") }, []string{"panicked: no idea", "byinput_test.go"}},
		"Goexit":    {func(int) executor.Executor { runtime.Goexit(); return nil }, []string{"runtime.Goexit"}},
		"no name":   {func(int) executor.Executor { return &wildExecutor{name: func() string { return "" }} }, []string{"name"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, ctx := newEnv(t, memoryRoot(t))
			f := mops.Define("byinput/fails", func(_ context.Context, n int) (int, error) { return n, nil }, private(), mops.ByInput(c.choose))
			for range 2 {
				_, err := f.Call(ctx, 3)
				mentions(t, err, append(c.says, "byinput/fails", "mops.ByInput", "byinput_test.go:")...)
				if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != executor.LaunchFailed {
					t.Errorf("%T", err)
				}
			}
			if n, err := f.With(mops.On(inproc.New())).Call(ctx, 3); n != 3 || err != nil {
				t.Error(n, err)
			}
		})
	}
}

// A func that does not return keeps nobody who leaves.
func TestByInputHangs(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	asked := make(chan struct{}, 10)
	f := mops.Define("byinput/hangs", func(_ context.Context, n int) (int, error) { return n, nil }, private(),
		mops.ByInput(func(int) executor.Executor { asked <- struct{}{}; <-release; return inproc.New() }))
	_, ctx := newEnv(t, memoryRoot(t))
	ctx, cancel := context.WithCancel(ctx)
	go func() { <-asked; cancel() }()
	if _, err := f.Call(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The types are compared when the function is defined.
func TestByInputOfAnotherType(t *testing.T) {
	message := panics(t, func() {
		mops.Define("byinput/other", func(_ context.Context, in scan) (int, error) { return 0, nil }, private(),
			mops.ByInput(func(*scan) executor.Executor { return nil }))
	})
	for _, text := range []string{"byinput/other", "byinput_test.go:", "takes *mops_test.scan", "takes mops_test.scan"} {
		if !strings.Contains(message, text) {
			t.Errorf("%q does not say %q", message, text)
		}
	}
	if message := panics(t, func() { mops.ByInput[scan](nil) }); !strings.Contains(message, "ByInput") {
		t.Error(message)
	}
	mops.Declare[scan, int]("byinput/declared", private(), mops.ByInput(func(scan) executor.Executor { return nil }))
}

// What is chosen may depend on the size of a file, and on a shared value.
func TestByInputKnowsSources(t *testing.T) {
	type in struct {
		File   mops.Source
		Shared mops.Shared[string]
		Note   string `mops:"-"`
	}
	small, large := newTally(), newTally()
	f := mops.Define("byinput/sources", func(ctx context.Context, in in) (int64, error) { return in.File.Size(), nil }, private(),
		mops.ByInput(func(in in) executor.Executor {
			if text, err := in.Shared.Get(context.Background()); err != nil || text != "shared" || in.Note != "kept out" || len(in.File.Hash()) != 64 {
				t.Errorf("%q, %v, %q", text, err, in.Note)
			}
			if in.File.Size() > 10 {
				return large
			}
			return small
		}))
	_, ctx := newEnv(t, memoryRoot(t))
	for _, content := range []string{"short", "longer than ten bytes"} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Call(ctx, in{mops.File(path), mops.Share("shared"), "kept out"}); n != int64(len(content)) || err != nil {
			t.Error(n, err)
		}
	}
	if small.started.Load() != 1 || large.started.Load() != 1 {
		t.Errorf("%d small, %d large", small.started.Load(), large.started.Load())
	}
}

// copied is an executor of one slot, or a copy of such a one.
type copied struct {
	*inproc.Executor
	of executor.Executor
}

func (e *copied) CopyOf() executor.Executor { return e.of }

// Copies share the limit of what they are copies of.
func TestByInputSharesLimits(t *testing.T) {
	original := &copied{Executor: inproc.New(inproc.Limit(2))}
	var running, most atomic.Int64
	f := mops.Define("byinput/limit", func(_ context.Context, n int) (int, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		for range 100 {
			runtime.Gosched()
		}
		return n, nil
	}, private(), mops.ByInput(func(n int) executor.Executor {
		if n%5 == 0 {
			return original
		}
		return &copied{Executor: inproc.New(inproc.Limit(2)), of: original}
	}))
	_, ctx := newEnv(t, memoryRoot(t))
	ins := make([]int, 200)
	for i := range ins {
		ins[i] = i
	}
	if _, err := f.All(ctx, ins); err != nil || most.Load() > 2 {
		t.Errorf("%d side by side, %v", most.Load(), err)
	}
}
