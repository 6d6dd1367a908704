//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// outages are calls that a store goes away under, and what they leave.
var outages = map[string]func(w *Work){
	"returns":        func(*Work) {},
	"returns a file": func(w *Work) { w.Write = 1000 },
	"fails":          func(w *Work) { w.End = "fail" },
	"calls others": func(w *Work) {
		w.Calls = []Work{{Name: "b", Dir: w.Dir, Sleep: time.Hour}, {Name: "c", Dir: w.Dir, Sleep: time.Minute}}
	},
	"calls what calls": func(w *Work) {
		w.Calls = []Work{{Name: "b", Dir: w.Dir, Calls: []Work{{Name: "c", Dir: w.Dir}}}}
	},
}

// A store is away for minutes, from any one step of a call on. What a function
// has computed for hours is kept, and nothing that ran is run again.
//
// The kind: a failure that passes takes with it what cannot be made again cheaply.
func TestOutageAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: an outage at each step")
	}
	t.Parallel()
	for name, prepare := range outages {
		for _, running := range []time.Duration{0, time.Hour} { // the program, before the call
			t.Run(fmt.Sprintf("%s/program runs for %v", name, running), func(t *testing.T) {
				for step := int64(1); ; step++ {
					if last := outageAt(t, prepare, running, step); last {
						t.Logf("%d steps", step-1)
						break
					}
				}
			})
		}
	}
}

// outageAt makes a call whose store goes away at a step. There is no such step
// where it is said to be past the last.
func outageAt(t *testing.T, prepare func(*Work), running time.Duration, step int64) (last bool) {
	root, dir := inMemory(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const outage = 5 * time.Minute
		var steps, since atomic.Int64 // since: when it went away, in ns; 0 before
		var armed, begun atomic.Bool  // begun: the session
		away := func(op blobtest.Op, key string) error {
			// What a session does while time passes is no step of a call.
			renewal := strings.HasPrefix(key, lease.SessionPrefix) && begun.Swap(true) ||
				op == blobtest.OpStat && strings.HasSuffix(key, "/lease")
			if armed.Load() && !renewal && steps.Add(1) == step {
				since.Store(time.Now().UnixNano())
			}
			if at := since.Load(); at != 0 && time.Since(time.Unix(0, at)) < outage {
				return &driver.Error{Kind: driver.Unavailable, Err: errors.New("the store is away")}
			}
			return nil
		}
		uri := fmt.Sprintf("%s:%s#", faulty, root)
		plans.Store(uri, blobtest.FaultPlan{Before: away})
		defer plans.Delete(uri)
		env, err := mops.New(t.Context(), mops.Isolated(), mops.Root(uri), mops.CacheDir(dir+"/cache"), mops.LogTo(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		ctx := env.Context(t.Context())
		time.Sleep(running)

		w := Work{Name: "a", Dir: dir, Sleep: 10 * time.Hour}
		prepare(&w)
		want, kind := w.expected("")
		armed.Store(true)
		answer, _, err := doWork.Do(ctx, w)
		text := textOf(t, ctx, answer, err)
		armed.Store(false)
		ran := counts(t, w.tally())["a"]
		switch {
		case ran == 0 && running == 0 && kindOf(err) == "blob unavailable": // nothing was lost
		case err == nil && text == want || err != nil && kindOf(err) == kind:
		default:
			t.Errorf("step %d: %d runs of the function, %q, %v", step, ran, text, err)
		}
		time.Sleep(outage)
		answer, info, err := doWork.With(mops.KeepErrors()).Do(ctx, w)
		if text := textOf(t, ctx, answer, err); text != want || err != nil && kindOf(err) != kind {
			t.Errorf("step %d: after the outage: %q, %v", step, text, err)
		}
		for name, n := range counts(t, w.tally()) {
			if n != 1 {
				t.Errorf("step %d: %s ran %d times", step, name, n)
			}
		}
		if ran > 0 && err == nil && info.Outcome != mops.Hit {
			t.Errorf("step %d: after the outage the call is %v rather than a hit", step, info.Outcome)
		}
		if err := env.Close(); err != nil {
			t.Errorf("step %d: close: %v", step, err)
		}
		last = steps.Load() < step
	})
	return last || t.Failed()
}

func textOf(t *testing.T, ctx context.Context, answer Answer, err error) string {
	if err != nil {
		return ""
	}
	text, err := answer.text(ctx)
	if err != nil {
		t.Error(err)
	}
	return text
}

// Who waits for a run elsewhere waits as long as that may: a program that has just
// begun, too. The store is away for both.
func TestOutageWhileOthersWait(t *testing.T) {
	for _, end := range []string{"", "fail"} {
		t.Run("end "+end, func(t *testing.T) {
			root, dir := inMemory(t), t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				environment := func(name string) *mops.Env {
					uri := fmt.Sprintf("%s:%s#%s", faulty, root, name)
					plans.Store(uri, blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
						if down.Load() {
							return &driver.Error{Kind: driver.Unavailable, Err: errors.New("the store is away")}
						}
						return nil
					}})
					t.Cleanup(func() { plans.Delete(uri) })
					env, err := mops.New(t.Context(), mops.Isolated(), mops.Root(uri), mops.CacheDir(dir+"/cache"+name), mops.LogTo(slog.New(slog.DiscardHandler)))
					if err != nil {
						t.Fatal(err)
					}
					return env
				}
				w := Work{Name: "a", Dir: dir, Sleep: 10 * time.Hour, End: end}
				want, kind := w.expected("")
				var calls sync.WaitGroup
				call := func(name string) {
					env := environment(name)
					calls.Go(func() {
						answer, _, err := doWork.Do(env.Context(t.Context()), w)
						if text := textOf(t, t.Context(), answer, err); text != want || err != nil && kindOf(err) != kind {
							t.Errorf("%s: %q, %v", name, text, err)
						}
						if err := env.Close(); err != nil {
							t.Errorf("%s: close: %v", name, err)
						}
					})
				}
				call("computes")
				time.Sleep(10*time.Hour - 2*time.Minute)
				call("waits")
				time.Sleep(time.Minute)
				down.Store(true)
				time.Sleep(31 * time.Minute)
				down.Store(false)
				calls.Wait()
				if n := counts(t, w.tally())["a"]; n != 1 {
					t.Errorf("it ran %d times", n)
				}
			})
		})
	}
}

// That a session cannot be ended is no failure of a program that is done.
func TestOutageAtTheClose(t *testing.T) {
	root, dir := inMemory(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		uri := fmt.Sprintf("%s:%s#", faulty, root)
		plans.Store(uri, blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
			if down.Load() {
				return &driver.Error{Kind: driver.Unavailable, Err: errors.New("the store is away")}
			}
			return nil
		}})
		defer plans.Delete(uri)
		env, err := mops.New(t.Context(), mops.Isolated(), mops.Root(uri), mops.CacheDir(dir+"/cache"), mops.LogTo(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := doWork.Call(env.Context(t.Context()), Work{Name: "a", Dir: dir}); err != nil {
			t.Fatal(err)
		}
		down.Store(true)
		began := time.Now()
		if err := env.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to leave", took)
		}
	})
}

// The services are away for longer than they are asked again before a function
// ends, while it runs. Its worker, and in process its program, wait for them.
func TestOutageOfServers(t *testing.T) {
	t.Parallel()
	outage, ran := 20*time.Second, time.Duration(0) // eight tries take 13 at most, and the least patience is a minute
	if soak {
		outage, ran = 3*time.Minute, 4*time.Minute
	}
	onServers(t, func(t *testing.T, server *emulator.Server) {
		root, proxy := server.Behind(t)
		var down atomic.Bool
		proxy.Strike(-1, server.Throttled, func(*http.Request) bool { return down.Load() })
		place := t.TempDir()
		var jobs Jobs
		for _, on := range []string{"in8", "sub"} {
			for _, name := range []string{"returns", "returns a file", "fails"} {
				w := Work{Name: strings.ReplaceAll(name+" "+on, " ", "-"), Dir: place, Gate: true, Sleep: ran, Print: 1000}
				outages[name](&w)
				jobs.Jobs = append(jobs.Jobs, Job{Work: w, On: on})
			}
		}
		tally := enginetest.Tally{Dir: place}
		p := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT="+root)
		enginetest.Eventually(t, patience, "all functions run", func() bool { return len(counts(t, tally)) == len(jobs.Jobs) })
		down.Store(true)
		for _, job := range jobs.Jobs {
			if err := job.Work.openGate(); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-p.Done():
		case <-time.After(jobs.Jobs[0].Work.Sleep + outage):
		}
		down.Store(false)
		if code := p.Wait(patience); code != 0 {
			t.Errorf("the program ended with %d", code)
		}
		expect(t, p, jobs)
		again := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT="+root, "MOPS_KEEP_ERRORS=1")
		again.Wait(patience)
		expect(t, again, jobs)
		for name, n := range counts(t, tally) {
			if n != 1 {
				t.Errorf("%s ran %d times; standard error:\n%s", name, n, p.Stderr)
			}
		}
	})
}
