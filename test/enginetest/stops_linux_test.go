package enginetest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Processes stand still at any moment, programs and workers, and go on or are
// killed. One that stood still for longer than its session lives finds that
// others took its calls: what it computes then must not become a second result.
//
// The kind: whoever was away acts on what was true before.
func TestStopsAndKills(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: programs that are stopped and killed for long")
	}
	t.Parallel()
	programs, calls, torments, longest := 6, 300, 300, 300*time.Millisecond
	if soak { // longer than a session lives without renewal, too
		programs, calls, torments, longest = 12, 600, 600, 40*time.Second
	}
	place := t.TempDir()
	var jobs Jobs
	for i := range calls {
		job := Job{Work: Work{Name: fmt.Sprintf("w%d", i), Dir: place, Chance: true, Sleep: rand.N(80 * time.Millisecond)}}
		if i%4 == 0 {
			job.On = "sub2"
		}
		jobs.Jobs = append(jobs.Jobs, job)
	}

	ctx, calm := context.WithCancel(t.Context())
	var tormentor sync.WaitGroup
	tormentor.Go(func() { torment(ctx, place, torments, longest) })
	all := make([][]Report, programs)
	var running sync.WaitGroup
	for i := range programs {
		running.Go(func() {
			for {
				p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
				if code := p.Wait(10 * time.Minute); code >= 0 { // else it was killed
					all[i] = reports(t, p)
					return
				}
			}
		})
	}
	running.Wait()
	calm()
	tormentor.Wait()

	last := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	last.Wait(patience)
	text := map[int]string{}
	for _, r := range reports(t, last) {
		if r.Error != "" {
			t.Errorf("call %d fails when nobody is stopped or killed any more: %s", r.Index, r.Error)
		}
		text[r.Index] = r.Text
	}
	if len(text) != calls {
		t.Errorf("%d of %d calls have a result in the end", len(text), calls)
	}
	failed := 0
	for i, reports := range all {
		if len(reports) != calls {
			t.Errorf("program %d reported %d of %d calls", i, len(reports), calls)
		}
		for _, r := range reports {
			switch {
			case r.Error == "" && r.Text != text[r.Index]:
				t.Errorf("call %d has two results: %q and %q", r.Index, r.Text, text[r.Index])
			case r.Error != "" && !strings.HasPrefix(r.Kind, "exec "): // its worker was killed
				t.Errorf("call %d: %s %s", r.Index, r.Kind, r.Error)
			case r.Error != "":
				failed++
			}
		}
	}
	runs := 0
	for _, n := range counts(t, enginetest.Tally{Dir: place}) {
		runs += n
	}
	t.Logf("%d calls, %d runs, %d reports of workers that were killed", calls, runs, failed)
}

// torment lets processes of a place stand still for a while, some of which are
// killed then. All go on when it returns.
func torment(ctx context.Context, place string, times int, longest time.Duration) {
	var still sync.WaitGroup
	defer still.Wait()
	for range times {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rand.N(60 * time.Millisecond)):
		}
		pids := enginetest.Processes(place)
		if len(pids) == 0 {
			continue
		}
		pid := pids[rand.N(len(pids))]
		if syscall.Kill(pid, syscall.SIGSTOP) != nil {
			continue // it has ended
		}
		still.Go(func() {
			select {
			case <-ctx.Done():
			case <-time.After(rand.N(longest)):
			}
			if rand.N(4) == 0 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			syscall.Kill(pid, syscall.SIGCONT)
		})
	}
}
