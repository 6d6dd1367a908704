//go:build linux || darwin

package enginetest_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Many processes make the same calls while some of them are killed and started
// again. Each call has one result, the same for all, and was computed once
// unless who computed it was killed.
func TestContention(t *testing.T) {
	t.Parallel()
	processes, calls, kills := 16, 200, 8
	if soak {
		processes, calls, kills = 16, 1000, 60
	}
	contend(t, fileRoot(t.TempDir()), processes, calls, kills)
}

// contend lets processes make the same calls on one root.
func contend(t *testing.T, root string, processes, calls, kills int) {
	place := t.TempDir()
	var jobs Jobs
	for i := range calls {
		w := Work{Name: fmt.Sprintf("w%d", i), Dir: place, Chance: true, Sleep: time.Duration(rand.N(4)) * time.Millisecond}
		jobs.Jobs = append(jobs.Jobs, Job{Work: w})
	}
	rand.Shuffle(calls, func(i, j int) { jobs.Jobs[i], jobs.Jobs[j] = jobs.Jobs[j], jobs.Jobs[i] })

	began := time.Now()
	var mu sync.Mutex
	killed := map[int]bool{}
	left := kills
	mayKill := func() bool {
		mu.Lock()
		defer mu.Unlock()
		left--
		return left >= 0
	}
	all := make([][]Report, processes)
	var running sync.WaitGroup
	for i := range processes {
		running.Go(func() {
			for {
				p := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT="+root)
				if mayKill() {
					// At some time while it computes: it is gone when it has not reported all.
					select {
					case <-p.Done():
					case <-time.After(20*time.Millisecond + rand.N(200*time.Millisecond)):
					}
					p.Kill()
					mu.Lock()
					killed[p.PID()] = true
					mu.Unlock()
					continue
				}
				p.Wait(10 * time.Minute)
				all[i] = reports(t, p)
				return
			}
		})
	}
	running.Wait()
	t.Logf("%d processes with %d calls each, %d of them killed, took %v", processes, calls, len(killed), time.Since(began))

	text := map[int]string{}
	for i, reports := range all {
		if len(reports) != calls {
			t.Errorf("process %d reported %d calls of %d", i, len(reports), calls)
		}
		for _, r := range reports {
			switch known, ok := text[r.Index]; {
			case r.Error != "":
				t.Errorf("call %d: %s", r.Index, r.Error)
			case !ok:
				text[r.Index] = r.Text
			case known != r.Text:
				t.Errorf("call %d has two results: %q and %q", r.Index, known, r.Text)
			}
		}
	}
	checkRunOnce(t, enginetest.Tally{Dir: place}, calls, killed)
}

// checkRunOnce checks that each call ran once, but for runs whose process was killed.
func checkRunOnce(t *testing.T, tally enginetest.Tally, calls int, killed map[int]bool) {
	t.Helper()
	entries, err := tally.Entries()
	if err != nil {
		t.Fatal(err)
	}
	sound, lost := map[string]int{}, map[string]int{}
	for _, e := range entries {
		switch {
		case e.Event != "start":
		case killed[e.PID]:
			lost[e.Name]++
		default:
			sound[e.Name]++
		}
	}
	again := 0
	for name, n := range sound {
		if n > 1 {
			t.Errorf("%s was computed %d times by processes that were not killed", name, n)
		}
		again += lost[name]
	}
	for name, n := range lost {
		if n > 1 {
			t.Logf("%s was computed %d times by processes that were killed", name, n)
		}
		if _, ok := sound[name]; !ok {
			sound[name] = 0
		}
	}
	if len(sound) != calls {
		t.Errorf("%d calls were computed, want %d", len(sound), calls)
	}
	t.Logf("%d calls computed once, %d of them again after a kill", calls, again)
}

// Those who wait for a run that fails fail with it, in all processes; they don't
// run it once more each.
func TestWaitersShareFailure(t *testing.T) {
	for _, c := range []struct {
		on, ends, kind string
	}{
		{"", "fail", "func"},
		{"", "panic", "panic"},
		{"sub", "fail", "func"},
		{"sub", "kill", "exec Signalled"},
	} {
		t.Run(c.on+" "+c.ends, func(t *testing.T) {
			t.Parallel()
			const processes, waiters = 8, 8
			place := t.TempDir()
			w := Work{Name: "a", Dir: place, Gate: true, End: c.ends}
			jobs := Jobs{Jobs: []Job{{Work: w, On: c.on}}, Repeat: waiters}
			var programs []*enginetest.Program
			for range processes {
				programs = append(programs, enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place), telling))
			}
			awaitSaid(t, saysMade, processes, programs...)
			awaitSaid(t, saysWaits, processes-1, programs...)
			awaitStarts(t, place, 1)
			if err := w.openGate(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			errs := map[string]int{}
			for _, p := range programs {
				p.Wait(patience)
				for _, r := range reports(t, p) {
					if r.Kind != c.kind {
						t.Errorf("got %+v, want an error of kind %s", r, c.kind)
					}
					errs[r.Error]++
				}
			}
			t.Logf("all ended %v after the gate was opened", time.Since(began))
			if len(errs) != 1 {
				t.Errorf("%d different errors: %v", len(errs), errs)
			}
			if got := counts(t, w.tally())["a"]; got != 1 {
				t.Errorf("the function ran %d times for %d waiters", got, processes*waiters)
			}
		})
	}
}

// In one process, too.
func TestWaitersInOneProcessShareFailure(t *testing.T) {
	ctx := mopstest.Context(t)
	w := Work{Name: "a", Dir: t.TempDir(), Gate: true, End: "fail"}
	const waiters = 64
	var started []*mops.Call[Answer]
	for range waiters {
		call, err := doWork.Start(ctx, w)
		if err != nil {
			t.Fatal(err)
		}
		started = append(started, call)
	}
	if err := w.openGate(); err != nil {
		t.Fatal(err)
	}
	errs := map[string]int{}
	for _, call := range started {
		_, err := call.Wait(ctx)
		errs[fmt.Sprint(err)]++
	}
	if len(errs) != 1 || counts(t, w.tally())["a"] != 1 {
		t.Errorf("the function ran %d times, errors %v", counts(t, w.tally())["a"], errs)
	}
	// A call made afterwards runs again.
	if _, err := doWork.Call(ctx, w); err == nil || counts(t, w.tally())["a"] != 2 {
		t.Errorf("a call after the failure: %v, %d runs in all", err, counts(t, w.tally())["a"])
	}
}
