//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// breakLease releases a lease as a person does.
func breakLease(t *testing.T, store *blob.Store, key string) {
	t.Helper()
	state, version, err := lease.Read(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	state.Status, state.Outcome = lease.StatusReleased, &lease.Outcome{Kind: runs.Broken, Message: "by a test"}
	if _, err := lease.Put(t.Context(), store, key, version, state); err != nil {
		t.Fatal(err)
	}
}

// A holder whose lease was broken stops computing, and gets the result of who
// has the lease then; where that is nobody, it takes it again.
func TestBrokenLease(t *testing.T) {
	for _, others := range []int{0, 1} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			b := newTable(t, Work{Name: "a", Dir: dir, Chance: true, Sleep: time.Minute})
			ctx, end := b.env()
			defer end()
			call, err := doWork.Start(ctx, b.work)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // it computes
			_, b.path, _ = strings.Cut(call.URI(), b.root+"/")
			breakLease(t, b.store, b.path+"/lease")
			other := ""
			if others > 0 {
				other = b.mustCall("the one who takes it")
			}
			answer, err := call.Wait(ctx)
			if err != nil || other != "" && answer.Text != other {
				t.Errorf("got %q, %v, and elsewhere %q", answer.Text, err, other)
			}
			if ran := counts(t, b.work.tally()); ran["a"] != 2 {
				t.Errorf("the function ran %d times, want 2", ran["a"])
			}
			if ended, err := b.work.tally().Count("end"); err != nil || ended["a"] != 1 {
				t.Errorf("the function was let run to its end %d times, %v", ended["a"], err)
			}
		})
	}
}

// A worker whose lease was broken stops, too. Its caller may know sooner, and has
// started another by then.
func TestBrokenLeaseOfWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for a session to die")
	}
	for _, on := range []string{"sub", "far"} {
		t.Run(on, func(t *testing.T) { t.Parallel(); brokenOn(t, on) })
	}
}

func brokenOn(t *testing.T, on string) {
	place := t.TempDir()
	w := Work{Name: "a", Dir: place, Gate: true}
	jobs := Jobs{Jobs: []Job{{Work: w, On: on}}}
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	awaitStarts(t, place, 1)
	store, err := blob.Open(context.Background(), "file://"+place+"/root")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range enginetest.Leases(t, fileRoot(place)) {
		breakLease(t, store, s.Key)
	}
	began := time.Now()
	enginetest.Eventually(t, 3*time.Minute, "it stops, and runs again", func() bool {
		stopped, err := w.tally().Count("stopped")
		return err == nil && stopped["a"] == 1 && counts(t, w.tally())["a"] == 2
	})
	t.Logf("it stopped and ran again %v after the lease was broken", time.Since(began))
	if err := w.openGate(); err != nil {
		t.Fatal(err)
	}
	p.Wait(patience)
	expect(t, p, jobs)
	if ended, err := w.tally().Count("end"); err != nil || ended["a"] != 1 {
		t.Errorf("the function was let run to its end %d times, %v", ended["a"], err)
	}
}

// A lease that is lost in the pause between two attempts is lost like any
// other: the call goes on, and does not look cancelled.
func TestLeaseLostBetweenAttempts(t *testing.T) {
	const renew = 8 * time.Second // when a session looks at its leases
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t, Work{})
		ctx, end := b.env()
		defer end()
		began := time.Now()
		flaky := mops.Define("flaky", func(ctx context.Context, _ int) (int, error) {
			run := mops.RunInfo(ctx)
			if run.Attempt > 7 { // the pauses are longer than 5 s now
				time.Sleep(renew - time.Since(began)%renew - time.Second)
				_, path, _ := strings.Cut(run.URI, b.root+"/")
				breakLease(t, b.store, path+"/lease")
			}
			return 0, errors.New("not yet")
		}, mops.In(mops.NewRegistry()), mops.Retries(20))
		_, err := flaky.Call(ctx, 1)
		if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != executor.LeaseLost {
			t.Errorf("%v; want %v", err, executor.LeaseLost)
		}
	})
}

// far is an executor whose one worker was started by somebody else, and never ends.
type far struct{ attached chan struct{} }

func (far) Name() string { return "far" }

func (far) Start(context.Context, executor.Invocation) (executor.Worker, error) {
	return nil, &executor.Error{Reason: executor.LaunchFailed, Message: "there is no other"}
}

func (f far) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	close(f.attached)
	return farWorker{}, nil
}

type farWorker struct{ executor.Worker }

func (farWorker) Wait(ctx context.Context) (executor.Exit, error) {
	<-ctx.Done()
	return executor.Exit{}, ctx.Err()
}

func (farWorker) Release() {}

// Who adopted a worker and then loses its lease looks for who has it now, too.
func TestLeaseLostOfAdoptedWorker(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &table{t: t, root: "file://" + dir}
		ctx, end := b.env()
		defer end()
		var err error
		if b.store, err = blob.Open(ctx, b.root); err != nil {
			t.Fatal(err)
		}
		where := far{make(chan struct{})}
		f := mops.Define("f", func(context.Context, int) (int, error) { return 0, nil }, mops.In(mops.NewRegistry()), mops.On(where))
		_, info, _ := f.With(mops.RequireResults()).Do(ctx, 1)
		_, path, _ := strings.Cut(info.URI, b.root+"/")
		orphaned := lease.State{ID: runs.ID{LeaseID: lease.NewID(), RunID: "run", Executor: where.Name()}, Status: lease.StatusHeld, Session: "none", Handle: "worker"}
		if _, err := lease.Put(ctx, b.store, path+"/lease", "", orphaned); err != nil {
			t.Fatal(err)
		}
		call, err := f.Start(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		<-where.attached
		synctest.Wait()
		breakLease(t, b.store, path+"/lease")
		_, err = call.Wait(ctx)
		if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != executor.LaunchFailed {
			t.Errorf("%v; want that another worker is started", err)
		}
	})
}

// Two that compute a call at the same time, because one does not know yet that
// it lost its lease, agree on the result that was there first.
func TestSecondResultIsDiscarded(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t, Work{Name: "a", Dir: dir, Chance: true, Sleep: 5 * time.Second})
		ctx, end := b.env()
		defer end()
		call, err := doWork.Start(ctx, b.work)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		_, b.path, _ = strings.Cut(call.URI(), b.root+"/")
		breakLease(t, b.store, b.path+"/lease")
		second := b.mustCall("who takes it")
		first, err := call.Wait(ctx)
		if err != nil || first.Text != second {
			t.Errorf("got %q, %v, and elsewhere %q", first.Text, err, second)
		}
		if third := b.mustCall("afterwards"); third != second {
			t.Errorf("got %q, and afterwards %q", second, third)
		}
		if ended, err := b.work.tally().Count("end"); err != nil || ended["a"] != 2 {
			t.Errorf("%d functions came to their end, %v: this proves nothing", ended["a"], err)
		}
	})
}
