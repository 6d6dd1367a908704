//go:build linux || darwin

package enginetest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/enginetest"
	"github.com/TrilliantHealth/mops-go/internal/lease"
)

// breakLease releases a lease as a person does.
func breakLease(t *testing.T, store *blob.Store, key string) {
	t.Helper()
	state, version, err := lease.Read(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	state.Status, state.Outcome = lease.StatusReleased, &lease.Outcome{Kind: lease.Broken, Message: "by a test"}
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

// A worker whose lease was broken stops, too.
func TestBrokenLeaseOfWorker(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	w := Work{Name: "a", Dir: place, Gate: true}
	jobs := Jobs{Jobs: []Job{{Work: w, On: "sub"}}}
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	awaitStarts(t, place, 1)
	store, err := blob.Open(context.Background(), "file://"+place+"/root")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range leases(t, place) {
		breakLease(t, store, s.Key)
	}
	began := time.Now()
	enginetest.Eventually(t, 30*time.Second, "it runs again", func() bool { return counts(t, w.tally())["a"] == 2 })
	t.Logf("it ran again %v after the lease was broken", time.Since(began))
	if err := w.openGate(); err != nil {
		t.Fatal(err)
	}
	p.Wait(time.Minute)
	expect(t, p, jobs)
	if ended, err := w.tally().Count("end"); err != nil || ended["a"] != 1 {
		t.Errorf("the function was let run to its end %d times, %v", ended["a"], err)
	}
}
