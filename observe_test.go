package mops_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/internal/testkit/eventlog"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

var errOdd = errors.New("odd")

var observedLeaf = mops.Define("test/observed-leaf", func(_ context.Context, n int) (int, error) {
	if n%2 == 1 {
		return 0, errOdd
	}
	return n, nil
})

var observedTree = mops.Define("test/observed-tree", func(ctx context.Context, n int) (int, error) {
	_, err := observedLeaf.Call(ctx, n)
	return n, err
})

// An observer sees all that happens, and who called whom.
func TestObserve(t *testing.T) {
	var log eventlog.Log
	env, err := mops.New(t.Context(), mops.Root("file://"+t.TempDir()), mops.Observe(func(e mops.Event) { log.Observe(&e) }), mops.On(inproc.New(inproc.Limit(0))), mops.Isolated())
	if err != nil {
		t.Fatal(err)
	}
	ctx := env.Context(t.Context())
	must(observedTree.Call(ctx, 2))
	_, hit, err := observedTree.Do(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := observedTree.With(mops.Retries(1)).Call(ctx, 1); err == nil {
		t.Fatal("no error")
	}
	_, unfound := observedTree.With(mops.RequireResults()).Call(ctx, 4)
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	log.Check(t)
	calls := log.Calls()
	want := []string{
		"asked, started running, attempt ended, ended computed", // tree 2
		"asked, started running, attempt ended, ended computed", // leaf 2
		"ended hit",
		"asked, started running, attempt ended again, waiting retry, started running, attempt ended, ended failed", // tree 1
		"asked, started running, attempt ended, ended failed",                                                      // leaf 1
		"asked, started running, attempt ended, ended failed",
		"ended failed",
	}
	for i, call := range calls {
		if got := eventlog.Words(call); i >= len(want) || got != want[i] {
			t.Errorf("call %d: %s", i, got)
		}
	}
	if len(calls) != len(want) {
		t.Fatalf("%d calls", len(calls))
	}
	last := func(i int) mops.Event { return calls[i][len(calls[i])-1] }
	tree, leaf := last(0), last(1)
	if tree.Function != "test/observed-tree@0" || tree.MemoURI != hit.URI || tree.Caller != "" || tree.CallerCall != 0 || tree.Executor != "inproc" || tree.Attempt != 1 || tree.LeaseID == "" {
		t.Errorf("%+v", tree)
	}
	if leaf.Caller != tree.MemoURI || leaf.CallerCall != tree.Call {
		t.Errorf("%+v was called by %+v", leaf, tree)
	}
	host := must(os.Hostname())
	if h := last(2); h.RunID != tree.RunID || h.RunID == "" || h.Wall != tree.Wall || h.Wall <= 0 || h.PeakMemory != tree.PeakMemory || h.PeakMemory < 1<<20 || h.Place.Host != host {
		t.Errorf("the hit %+v does not say what it saved, of %+v", h, tree)
	}
	if failed, ok := errors.AsType[*mops.FuncError](last(3).Err); !ok || failed.Run != last(3).RunID || last(3).Wall <= 0 {
		t.Errorf("%+v", last(3))
	}
	if got := last(6).Err; !errors.Is(got, mops.ErrNoResult) || got.Error() != unfound.Error() {
		t.Errorf("%v, want %v", got, unfound)
	}
}

// A worker elsewhere is observed.
func TestObserveWorkers(t *testing.T) {
	var log eventlog.Log
	ctx, _ := inSubprocesses(t, mops.Observe(func(e mops.Event) { log.Observe(&e) }))
	must(observedTree.Call(ctx, 6))
	until(t, func() bool { return len(log.All()) == 5 })
	log.Check(t)
	call := log.Calls()[0]
	if got := eventlog.Words(call); got != "asked, started, stage running, attempt ended, ended computed" {
		t.Error(got)
	}
	if end := call[len(call)-1]; end.Worker == "" || end.Executor != "subprocess" || end.Wall <= 0 || end.CPU <= 0 {
		t.Errorf("%+v", end)
	}
}

func until(t *testing.T, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 2*time.Minute {
			t.Fatal("it does not come")
		}
	}
}

// An observer may panic or end its goroutine: calls go on, and so does it.
func TestBadObservers(t *testing.T) {
	var logged syncbuf.Buffer
	var panics, exits atomic.Int64
	env, err := mops.New(t.Context(), memoryRoot(t), mops.Isolated(), mops.LogTo(slog.New(slog.NewTextHandler(&logged, nil))),
		mops.Observe(func(e mops.Event) { panics.Add(1); panic("boom") }),
		mops.Observe(func(e mops.Event) { exits.Add(1); runtime.Goexit() }),
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx := env.Context(t.Context())
	for range 10 {
		must(observedLeaf.Call(ctx, 8))
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	if panics.Load() != 13 || exits.Load() != 13 {
		t.Errorf("%d and %d events", panics.Load(), exits.Load())
	}
	if text := logged.String(); strings.Count(text, "panicked") != 1 || strings.Contains(text, "missed") {
		t.Error(text)
	}
}

// The kinds and words that users compare with are those that are told.
func TestEventWords(t *testing.T) {
	for got, want := range map[string]string{
		string(mops.CallAsked): "asked", string(mops.CallJoined): "joined", string(mops.CallWaiting): "waiting", string(mops.CallTakenOver): "taken-over",
		string(mops.AttemptStarted): "started", string(mops.AttemptAdopted): "adopted", string(mops.AttemptStage): "stage",
		string(mops.AttemptEnded): "attempt-ended", string(mops.CallEnded): "ended",
		string(mops.WaitSlot): "slot", string(mops.WaitLease): "lease", string(mops.WaitRetry): "retry",
		string(mops.Failed): "failed", string(mops.Cancelled): "cancelled",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	var _ executor.Place = mops.Event{}.Place
}
