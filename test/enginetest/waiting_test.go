//go:build linux || darwin

package enginetest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Who waits in another process has the result soon after it is there, however long it
// has waited.
func TestWaiterReturnsSoon(t *testing.T) {
	for _, waits := range []time.Duration{time.Second, time.Minute, time.Hour} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			b := newTable(t, Work{Name: "a", Dir: dir, Sleep: waits})
			holder, end := b.env()
			defer end()
			call, err := doWork.Start(holder, b.work)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // it computes
			waited := make(chan time.Time, 1)
			go func() {
				if text, err := b.call(); text != "a" || err != nil {
					t.Errorf("got %q, %v", text, err)
				}
				waited <- time.Now()
			}()
			if _, err := call.Wait(holder); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if took := (<-waited).Sub(began); took > time.Second {
				t.Errorf("a waiter returned %v after the result that took %v", took, waits)
			}
		})
	}
}

// So does a process that waits for another's workers.
func TestWaitersReturn(t *testing.T) {
	t.Parallel()
	const n = 8
	place := t.TempDir()
	var jobs Jobs
	for i := range n {
		jobs.Jobs = append(jobs.Jobs, Job{Work: Work{Name: fmt.Sprintf("w%d", i), Dir: place, Gate: true}, On: "sub20"})
	}
	holder := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	awaitStarts(t, place, n)
	waiter := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place), telling)
	enginetest.Eventually(t, patience, "the waiter has come to the leases", func() bool { return strings.Count(waiter.Stderr.String(), saysWaits) >= n })
	var slowest, sum time.Duration
	for i, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
		enginetest.Eventually(t, patience, "the result is there", func() bool { return len(results(t, fileRoot(place))) == i+1 })
		began := time.Now()
		enginetest.Eventually(t, patience, "the waiter has it", func() bool { return strings.Count(waiter.Stdout.String(), "\n") == i+1 })
		took := time.Since(began)
		slowest, sum = max(slowest, took), sum+took
	}
	t.Logf("a waiter in another process returned %v after the result on average, %v at most", sum/n, slowest)
	holder.Wait(patience)
	waiter.Wait(patience)
	expect(t, waiter, jobs)
}

// Who waits in the same process has it at once.
func TestWaiterInOneProcessReturnsAtOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t, Work{Name: "a", Dir: dir, Sleep: time.Minute})
		ctx, end := b.env()
		defer end()
		var calls []*mops.Call[Answer]
		for range 64 {
			call, err := doWork.Start(ctx, b.work)
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, call)
		}
		if _, err := calls[0].Wait(ctx); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, call := range calls {
			if answer, err := call.Wait(ctx); err != nil || answer.Text != "a" {
				t.Errorf("got %q, %v", answer.Text, err)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("64 waiters returned %v after the first", took)
		}
	})
}

// Who waits takes over soon after the holder was killed.
func TestWaiterTakesOver(t *testing.T) {
	for _, on := range []string{"", "sub"} {
		t.Run("on "+on, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			w := Work{Name: "a", Dir: place, Gate: true}
			jobs := Jobs{Jobs: []Job{{Work: w, On: on}}}
			holder := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
			awaitStarts(t, place, 1)
			waiter := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place), telling)
			awaitSaid(t, saysWaits, 1, waiter)
			entries, err := w.tally().Entries()
			if err != nil {
				t.Fatal(err)
			}
			holder.Kill()
			enginetest.Kill(entries[0].PID) // the worker, in a subprocess
			began := time.Now()
			enginetest.Eventually(t, patience, "the waiter computes", func() bool { return counts(t, w.tally())["a"] == 2 })
			took := time.Since(began)
			t.Logf("taken over %v after the kill", took)
			if took > recovery {
				t.Errorf("it took %v", took)
			}
			if err := w.openGate(); err != nil {
				t.Fatal(err)
			}
			waiter.Wait(patience)
			expect(t, waiter, jobs)
		})
	}
}
