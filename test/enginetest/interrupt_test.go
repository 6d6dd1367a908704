//go:build linux || darwin

package enginetest_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// gatedJobs run until they are let go or stopped.
func gatedJobs(place string, n int, on string, change func(*Job)) Jobs {
	var jobs Jobs
	for i := range n {
		job := Job{Work: Work{Name: fmt.Sprintf("w%d", i), Dir: place, Gate: true}, On: on}
		if change != nil {
			change(&job)
		}
		jobs.Jobs = append(jobs.Jobs, job)
	}
	return jobs
}

func awaitStarts(t *testing.T, place string, n int) {
	t.Helper()
	enginetest.Eventually(t, patience, "all functions run", func() bool { return len(counts(t, enginetest.Tally{Dir: place})) == n })
}

// Ctrl-C stops all workers, releases all leases and ends with 130; so does
// SIGTERM, with 143.
func TestInterruptLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		on     string
		signal syscall.Signal
		deaf   bool
	}{
		{"sub20", syscall.SIGINT, false},
		{"sub20", syscall.SIGTERM, false},
		{"sub20", syscall.SIGINT, true}, // the executor is patient for 5 s
		{"in2", syscall.SIGINT, false},
		{"far20", syscall.SIGINT, false},
		{"far20", syscall.SIGTERM, true}, // and this one for 3 s
		{"pack20", syscall.SIGINT, false},
		{"pack20", syscall.SIGINT, true},
	} {
		t.Run(fmt.Sprintf("%s %v deaf=%t", c.on, c.signal, c.deaf), func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			n := map[string]int{"sub20": 20, "in2": 2, "far20": 20, "pack20": 20}[c.on]
			if c.deaf {
				n = 3
			}
			jobs := gatedJobs(place, n, c.on, func(j *Job) { j.Work.Deaf = c.deaf })
			p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
			awaitStarts(t, place, n)
			began := time.Now()
			p.Signal(c.signal)
			if code := p.Wait(patience); code != 128+int(c.signal) {
				t.Errorf("exit code %d; standard error:\n%s", code, p.Stderr)
			}
			took := time.Since(began)
			t.Logf("ended %v after the signal, with %d functions running", took, n)
			if took > 40*time.Second { // it takes 1 s, 6 s where they are deaf, and far longer on a busy machine
				t.Errorf("it took %v", took)
			}
			// Those that kept the logs of others may be about to end.
			enginetest.Eventually(t, patience, "no process is left", func() bool { return len(enginetest.Processes(place)) == 0 })
			states := enginetest.Leases(t, fileRoot(place))
			if len(states) != n {
				t.Errorf("%d leases, want %d", len(states), n)
			}
			for _, s := range states {
				if s.Status != lease.StatusReleased || s.Outcome == nil || s.Outcome.Kind != runs.Cancelled {
					t.Errorf("a lease was not released as cancelled: %+v, outcome %+v", s, s.Outcome)
				}
			}
		})
	}
}

// A second Ctrl-C leaves at once; what it leaves behind is found by the next program.
func TestSecondInterruptLeavesAtOnce(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	jobs := gatedJobs(place, 3, "patient", func(j *Job) { j.Work.Deaf = true })
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	awaitStarts(t, place, 3)
	p.Signal(syscall.SIGINT)
	enginetest.Eventually(t, patience, "the first signal was seen", func() bool { return strings.Contains(p.Stderr.String(), "interrupted") })
	time.Sleep(time.Second) // so that the next is another
	began := time.Now()
	p.Signal(syscall.SIGINT)
	if code := p.Wait(patience); code != 130 {
		t.Errorf("exit code %d", code)
	}
	took := time.Since(began)
	t.Logf("left after %v", took)
	if took > 30*time.Second { // the executor would wait for an hour
		t.Errorf("it took %v; standard error:\n%s", took, p.Stderr)
	}
	for _, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
	}
	next := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	next.Wait(patience)
	expect(t, next, jobs)
}

// With Detach, Ctrl-C leaves the workers running, and the next program attaches to them.
func TestDetachLeavesWorkersRunning(t *testing.T) {
	for _, on := range []string{"sub", "far"} {
		t.Run(on, func(t *testing.T) { t.Parallel(); detach(t, on) })
	}
}

func detach(t *testing.T, on string) {
	place := t.TempDir()
	jobs := gatedJobs(place, 3, on, func(j *Job) { j.Detach = true })
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	awaitStarts(t, place, 3)
	began := time.Now()
	p.Signal(syscall.SIGINT)
	if code := p.Wait(patience); code != 130 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("ended %v after the signal", time.Since(began))
	next := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, patience, "three workers are adopted", func() bool { return strings.Count(next.Stderr.String(), adopted) >= 3 })
	for _, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
	}
	next.Wait(patience)
	expect(t, next, jobs)
	for name, n := range counts(t, enginetest.Tally{Dir: place}) {
		if n != 1 {
			t.Errorf("%s ran %d times", name, n)
		}
	}
}
