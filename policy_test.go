package mops_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// listing is every file below a root, with its content.
func listing(t *testing.T, root string) (files []string) {
	t.Helper()
	dir := strings.TrimPrefix(root, "file://")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was about to get its name
		}
		files = append(files, path+"\n"+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestAFailedCallRunsAgainUnlessErrorsAreKept(t *testing.T) {
	ctx := mopstest.Context(t)
	runs := 0
	f := mops.Define("f", func(context.Context, int) (int, error) {
		runs++
		return 0, fmt.Errorf("failure %d", runs)
	}, private())
	for want := range 2 {
		_, err := f.Call(ctx, 1)
		mentions(t, err, fmt.Sprintf("failure %d", want+1))
	}
	kept := f.With(mops.KeepErrors())
	_, err := kept.Call(ctx, 1)
	mentions(t, err, "failure 2")
	_, err = kept.Call(ctx, 2)
	mentions(t, err, "failure 3")
	_, info, err := kept.Do(ctx, 2)
	mentions(t, err, "failure 3", info.URI)
	if e, ok := errors.AsType[*mops.FuncError](err); !ok || e.Run == "" || runs != 3 {
		t.Errorf("%v, %d runs", err, runs)
	}
	_, err = kept.With(mops.Refresh()).Call(ctx, 2)
	mentions(t, err, "failure 4")
}

func TestRefreshReplacesTheResultOnce(t *testing.T) {
	ctx, root := onDisk(t)
	var value atomic.Int64
	f := mops.Define("f", func(context.Context, int) (int64, error) { return value.Add(1), nil }, private())
	must(f.Call(ctx, 1))
	fresh := f.With(mops.Refresh())
	for _, want := range []struct {
		f       *mops.Func[int, int64]
		out     int64
		outcome mops.Outcome
	}{{f, 1, mops.Hit}, {fresh, 2, mops.Computed}, {fresh, 2, mops.Hit}, {f, 2, mops.Hit}} {
		out, info, err := want.f.Do(ctx, 1)
		if err != nil || out != want.out || info.Outcome != want.outcome {
			t.Errorf("%d, %+v, %v; want %+v", out, info, err, want)
		}
	}
	_, other := newEnv(t, mops.Root(root))
	if out := must(f.Call(other, 1)); out != 2 {
		t.Errorf("another environment sees %d", out)
	}
	if out := must(fresh.Call(other, 1)); out != 3 {
		t.Errorf("another environment refreshes to %d", out)
	}
	if out := must(f.Call(ctx, 1)); out != 3 {
		t.Errorf("the first environment sees %d", out)
	}
}

// A caller that wants a refresh while another makes one gets the other's
// result.
func TestARefreshIsShared(t *testing.T) {
	ctx, other, waits := twoEnvironments(t)
	begun, goOn := make(chan struct{}, 10), make(chan struct{}, 10)
	f := mops.Define("f", func(context.Context, int) (int, error) { begun <- struct{}{}; <-goOn; return 1, nil }, private())
	goOn <- struct{}{}
	must(f.Call(ctx, 1))
	<-begun
	fresh := f.With(mops.Refresh())
	first, err := fresh.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := fresh.Start(other, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-waits // it has seen that somebody computes it
	goOn <- struct{}{}
	must(first.Wait(ctx))
	must(second.Wait(other))
	if info := second.Info(); info.Outcome != mops.Awaited || info.Run != first.Info().Run {
		t.Errorf("%+v, and the first made %+v", info, first.Info())
	}
}

func TestARefreshThatFailsKeepsTheOldResult(t *testing.T) {
	ctx := mopstest.Context(t)
	fail := false
	f := mops.Define("f", func(context.Context, int) (string, error) {
		if fail {
			return "", errors.New("not today")
		}
		return "old", nil
	}, private())
	must(f.Call(ctx, 1))
	fail = true
	_, err := f.With(mops.Refresh()).Call(ctx, 1)
	mentions(t, err, "not today")
	if out, err := f.Call(ctx, 1); err != nil || out != "old" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestReadOnlyUsesResultsAndWritesNothing(t *testing.T) {
	root := "file://" + t.TempDir()
	writing, ctx := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
	f, runs := counted(t)
	must(f.Call(ctx, 1))
	if err := writing.Close(); err != nil { // nothing is written behind it
		t.Fatal(err)
	}
	before := listing(t, root)
	env, err := mops.New(t.Context(), mops.Root(root), mops.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	reading := env.Context(t.Context())
	if out, info, err := f.Do(reading, 1); err != nil || out != 2 || info.Outcome != mops.Hit {
		t.Errorf("a hit: %d, %+v, %v", out, info, err)
	}
	for range 2 {
		if out, info, err := f.Do(reading, 2); err != nil || out != 4 || info.Outcome != mops.Computed {
			t.Errorf("a miss: %d, %+v, %v", out, info, err)
		}
	}
	failing := mops.Define("failing", func(context.Context, int) (int, error) { return 0, errors.New("no") }, private())
	if _, err := failing.Call(reading, 1); err == nil {
		t.Error("there is no error")
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	if runs.Load() != 3 {
		t.Errorf("%d runs", runs.Load())
	}
	if !slices.Equal(listing(t, root), before) {
		t.Error("the store was changed")
	}
}

func TestRequireResultsRunsNothing(t *testing.T) {
	ctx := mopstest.Context(t)
	f, runs := counted(t)
	required := f.With(mops.RequireResults())
	_, info, err := required.Do(ctx, 1)
	if !errors.Is(err, mops.ErrNoResult) || runs.Load() != 0 {
		t.Fatalf("%v, %d runs", err, runs.Load())
	}
	mentions(t, err, "counted", info.URI)
	must(f.Call(ctx, 1))
	if out, info, err := required.Do(ctx, 1); err != nil || out != 2 || info.Outcome != mops.Hit {
		t.Errorf("%d, %+v, %v", out, info, err)
	}
}

func TestOffTouchesNoStore(t *testing.T) {
	root := filepath.Join(t.TempDir(), "never made")
	_, ctx := newEnv(t, mops.Root("file://"+root), mops.Off(), mops.CacheDir(t.TempDir()))
	f, runs := counted(t)
	for range 2 {
		if out, info, err := f.Do(ctx, 4); err != nil || out != 8 || info.Outcome != mops.Computed {
			t.Errorf("%d, %+v, %v", out, info, err)
		}
	}
	call, err := f.Start(ctx, 5)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := call.Wait(ctx); err != nil || out != 10 {
		t.Errorf("%d, %v", out, err)
	}
	if runs.Load() != 3 {
		t.Errorf("%d runs", runs.Load())
	}
	if _, err := os.Stat(root); err == nil {
		t.Error("the root was made")
	}
}

func TestAFlakyFunctionIsTriedAgain(t *testing.T) {
	ctx := mopstest.Context(t)
	for name, options := range map[string]mops.Option{"kept": mops.Retries(2), "off": mops.Join(mops.Retries(2), mops.Off()), "read-only": mops.Join(mops.Retries(2), mops.ReadOnly())} {
		var attempts []int
		var runs []string
		flaky := mops.Define("flaky", func(ctx context.Context, _ string) (int, error) {
			run := mops.RunInfo(ctx)
			attempts, runs = append(attempts, run.Attempt), append(runs, run.ID)
			if run.Attempt < 3 {
				return 0, errors.New("not yet")
			}
			return run.Attempt, nil
		}, private(), options)
		out, info, err := flaky.Do(ctx, name)
		if err != nil || out != 3 || !slices.Equal(attempts, []int{1, 2, 3}) {
			t.Errorf("%s: %d, %v, attempts %v", name, out, err, attempts)
		}
		if slices.Sort(runs); len(slices.Compact(runs)) != 3 || !slices.Contains(runs, info.Run) {
			t.Errorf("%s: runs %v, of which %s made the result", name, runs, info.Run)
		}
	}
}

func TestRetriesAreUsedUp(t *testing.T) {
	ctx := mopstest.Context(t)
	runs := 0
	f := mops.Define("f", func(context.Context, int) (int, error) { runs++; return 0, fmt.Errorf("failure %d", runs) }, private(), mops.Retries(1))
	_, err := f.Call(ctx, 1)
	mentions(t, err, "failure 2")
	if runs != 2 {
		t.Errorf("%d runs", runs)
	}
}
