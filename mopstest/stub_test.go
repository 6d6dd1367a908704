package mopstest_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// far is a function that runs elsewhere, and one that calls it.
func far() (inner, outer *mops.Func[string, int]) {
	registry := mops.NewRegistry()
	inner = mops.Define("inner", func(_ context.Context, text string) (int, error) { return len(text), nil },
		mops.In(registry), mops.On(subprocess.New()))
	outer = mops.Define("outer", func(ctx context.Context, text string) (int, error) {
		n, err := inner.With(mops.On(subprocess.New())).Call(ctx, text)
		return 10 * n, err
	}, mops.In(registry), mops.On(subprocess.New()), mops.Calls(inner))
	return inner, outer
}

func TestCallsRunInProcess(t *testing.T) {
	_, outer := far()
	got, info, err := outer.Do(mopstest.Context(t), "word")
	if got != 40 || err != nil || info.Outcome != mops.Computed {
		t.Errorf("%d, %+v, %v", got, info, err)
	}
}

func TestTheTestMayAskOtherwise(t *testing.T) {
	_, outer := far()
	ctx := mopstest.Context(t, mops.On(subprocess.New(subprocess.Command("program"))))
	_, err := outer.Call(ctx, "word")
	if err == nil || !strings.Contains(err.Error(), "where a worker of the executor subprocess cannot read it") {
		t.Errorf("%v", err)
	}
}

func TestStub(t *testing.T) {
	inner, outer := far()
	calls := 0
	ctx := mopstest.Stub(mopstest.Context(t), inner, func(_ context.Context, text string) (int, error) {
		if calls++; text == "none" {
			return 0, errors.New("none at all")
		}
		return 7, nil
	})
	for range 2 {
		if got, err := outer.Call(ctx, "word"); got != 70 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
	}
	if got, err := inner.Call(ctx, "word"); got != 7 || err != nil || calls != 1 {
		t.Errorf("%d, %v, %d calls", got, err, calls)
	}
	var failed *mops.FuncError
	if _, err := outer.Call(ctx, "none"); !errors.As(err, &failed) || !strings.Contains(err.Error(), "none at all") {
		t.Errorf("%v", err)
	}
}

func TestStubOfWhatOnlyWorkersImplement(t *testing.T) {
	f := mops.Declare[string, int]("declared", mops.In(mops.NewRegistry()))
	ctx := mopstest.Stub(mopstest.Context(t), f, func(context.Context, string) (int, error) { return 7, nil })
	if got, err := f.Call(ctx, "word"); got != 7 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

// This test binary has no TestMain.
func TestNoWorker(t *testing.T) {
	inner, outer := far()
	root := mops.Root("file://" + t.TempDir())
	here := subprocess.New()
	for _, on := range []executor.Executor{here, here, remote.New(remote.Through("env"))} {
		ctx := mopstest.Context(t, mops.On(on), root)
		var failed *mops.ExecError
		_, err := outer.Call(ctx, "word")
		if !errors.As(err, &failed) || failed.Reason != executor.LaunchFailed || !strings.Contains(err.Error(), "\n\tfunc TestMain(m *testing.M) {\n\t\tmops.Init()\n") {
			t.Errorf("%v", err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := inner.With(mops.On(subprocess.New(subprocess.Command(program, "-test.run=^$"))))
	ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()), mops.On(subprocess.New(subprocess.Command(program, "-test.run=^$"))))
	if _, err = f.Call(ctx, "word"); err == nil || strings.Contains(err.Error(), "TestMain") {
		t.Errorf("another program: %v", err)
	}
}

// What a stub returns must not reach a store of others.
func TestStubStaysInTheTest(t *testing.T) {
	inner, outer := far()
	stub := func(context.Context, string) (int, error) { return 7, nil }
	ctx := mopstest.Stub(mopstest.Context(t, mops.Root("file://"+t.TempDir())), inner, stub)
	if got, err := outer.Call(ctx, "word"); got != 70 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	for _, root := range []string{"file:///srv/results", "file:///tmp/../srv/results"} {
		ctx := mopstest.Stub(mopstest.Context(t, mops.Root(root), mops.ReadOnly()), inner, stub)
		if got, err := inner.Call(ctx, "word"); got != 7 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
	}
	folder := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir()) // as if the folder were a shared one
	ctx = mopstest.Stub(mopstest.Context(t, mops.Root("file://"+folder)), inner, stub)
	for _, f := range []*mops.Func[string, int]{inner, outer} {
		if _, err := f.Call(ctx, "word"); err == nil || !strings.Contains(err.Error(), "would be taken for real") {
			t.Errorf("%v", err)
		}
	}
}

func TestFail(t *testing.T) {
	inner, outer := far()
	for _, reason := range []executor.Reason{executor.OOMKilled, executor.WorkerLost} {
		ctx := mopstest.Fail(mopstest.Context(t), inner, reason, 2)
		for range 2 {
			var failed *mops.ExecError
			if _, err := inner.Call(ctx, "word"); !errors.As(err, &failed) || failed.Reason != reason {
				t.Errorf("%v", err)
			}
		}
		if got, err := outer.Call(ctx, "word"); got != 40 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
	}
	ctx := mopstest.Fail(mopstest.Context(t, mops.Retries(2)), inner, executor.OOMKilled, 2)
	if got, err := inner.Call(ctx, "word"); got != 4 || err != nil {
		t.Errorf("with retries: %d, %v", got, err)
	}
	ctx = mopstest.Stub(mopstest.Context(t), inner, func(context.Context, string) (int, error) { return 7, nil })
	ctx = mopstest.Fail(ctx, inner, executor.OOMKilled, 1)
	if _, err := outer.Call(ctx, "word"); err == nil {
		t.Error("a stub that is to fail does not")
	}
	if got, err := inner.Call(ctx, "word"); got != 7 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestBreakStore(t *testing.T) {
	inner, _ := far()
	ctx := mopstest.Context(t)
	mend := mopstest.BreakStore(ctx, &driver.Error{Kind: driver.Denied})
	if _, err := inner.Call(ctx, "word"); !blob.Is(err, blob.Denied) {
		t.Errorf("%v", err)
	}
	mend()
	if got, err := inner.Call(ctx, "word"); got != 4 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	own := errors.New("the disk is on fire")
	defer mopstest.BreakStore(ctx, own)()
	if _, err := inner.Call(ctx, "other"); !errors.Is(err, own) {
		t.Errorf("%v", err)
	}
}

func TestKey(t *testing.T) {
	inner, _ := far()
	h := &heard{TB: t}
	mopstest.Key(h, inner, "word", "")
	if len(h.errors) != 1 {
		t.Fatalf("%q", h.errors)
	}
	_, key, _ := strings.Cut(h.errors[0], `is "`)
	key, _, _ = strings.Cut(key, `"`)
	mopstest.Key(t, inner, "word", key)
	changed := mops.Define("inner", func(context.Context, string) (int, error) { return 0, nil }, mops.In(mops.NewRegistry()), mops.Version("2"))
	h.errors = nil
	if mopstest.Key(h, changed, "word", key); len(h.errors) != 1 || !strings.Contains(h.errors[0], "will not be found") {
		t.Errorf("%q", h.errors)
	}
}
