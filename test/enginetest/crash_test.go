//go:build linux || darwin

package enginetest_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// recovery is how long a program may take that goes on where another was killed: much
// less than until a session has expired.
const recovery = 15 * time.Second

// scenarios are small, so that there are few steps in each and all of them together
// cover what a call can do.
func scenarios(dir, file string) map[string][]Job {
	leaf := func(name string) Work { return Work{Name: name, Dir: dir} }
	return map[string][]Job{
		"in process":        {{Work: leaf("a")}, {Work: leaf("b")}},
		"nested in process": {{Work: Work{Name: "a", Dir: dir, Calls: []Work{leaf("b"), leaf("c")}}}},
		"files":             {{Work: Work{Name: "a", Dir: dir, Write: 1000}, Read: file}},
		"failing":           {{Work: Work{Name: "a", Dir: dir, End: "fail"}}, {Work: leaf("b")}},
		"subprocess":        {{Work: leaf("a"), On: "sub"}, {Work: leaf("b"), On: "sub"}},
		"subprocess files":  {{Work: Work{Name: "a", Dir: dir, Write: 1000, Print: 1000}, Read: file, On: "sub"}},
		"subprocess failing": {
			{Work: Work{Name: "a", Dir: dir, End: "fail"}, On: "sub"},
			{Work: Work{Name: "b", Dir: dir, End: "panic"}, On: "sub"},
		},
		"subprocess in subprocess": {{Work: Work{Name: "a", Dir: dir, On: "sub", Calls: []Work{leaf("b")}}, On: "sub"}},
		"in process in subprocess": {{Work: Work{Name: "a", Dir: dir, Calls: []Work{leaf("b")}}, On: "sub"}},
		"subprocess in process":    {{Work: Work{Name: "a", Dir: dir, On: "sub", Calls: []Work{leaf("b")}}}},
		"subprocess that stays": {
			{Work: leaf("a"), On: "stay"}, {Work: Work{Name: "b", Dir: dir, Print: 1000}, On: "stay"}, {Work: leaf("c"), On: "stay"},
		},
		"subprocess in packs": {
			{Work: leaf("a"), On: "pack"}, {Work: Work{Name: "b", Dir: dir, Print: 1000}, On: "pack"},
			{Work: Work{Name: "c", Dir: dir, End: "fail"}, On: "pack"}, {Work: leaf("d"), On: "pack"},
		},
	}
}

// TestCrashAtEveryStep kills a program, its worker or both, before and after
// each operation of the store, starts the program again, and checks that it
// gets right results soon and that nothing was computed twice. Each step is a
// process that is killed; by default a third of them, in a soak all, and
// few with -short.
func TestCrashAtEveryStep(t *testing.T) {
	stride := 3 // others each time
	switch {
	case soak:
		stride = 1
	case testing.Short():
		stride = 18
	case raceEnabled:
		stride = 6
	}
	for name := range scenarios("", "") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crashAtSteps(t, name, stride, func(t *testing.T) string { return fileRoot(t.TempDir()) })
		})
	}
}

// crashAtSteps runs a scenario with a crash at every stride-th step, each on a
// root of its own.
func crashAtSteps(t *testing.T, name string, stride int, newRoot func(*testing.T) string) {
	for _, who := range []struct {
		role string
		both bool
	}{{enginetest.Orchestrator, false}, {enginetest.Worker, false}, {enginetest.Worker, true}} {
		if !strings.Contains(name, "subprocess") && who.role == enginetest.Worker {
			continue
		}
		killed, slowest := 0, time.Duration(0)
		for step := 1 + rand.N(stride); ; step += stride {
			c := crashRun{name: name, crash: enginetest.Crash{Role: who.role, Step: step, Both: who.both}}
			happened := false
			t.Run(fmt.Sprintf("%s both=%t step %d", who.role, who.both, step), func(t *testing.T) {
				c.root = newRoot(t)
				happened = c.run(t)
			})
			if !happened {
				break
			}
			killed++
			slowest = max(slowest, c.took)
		}
		t.Logf("%s (both: %t) killed at %d steps; the slowest recovery took %v", who.role, who.both, killed, slowest)
		if killed < 8/stride {
			t.Errorf("only %d steps: the crashes were not where they should be", killed)
		}
	}
}

type crashRun struct {
	name  string
	root  string
	crash enginetest.Crash
	took  time.Duration
}

// run reports whether the crash happened: it does not when its step is beyond the last.
func (c *crashRun) run(t *testing.T) (happened bool) {
	place := t.TempDir()
	dir := filepath.Join(place, "dir")
	file := filepath.Join(place, "file")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("content of a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	jobs := Jobs{Jobs: scenarios(dir, file)[c.name], Turns: !strings.Contains(c.name, "packs"), Crash: c.crash}
	jobs.Crash.Dir = place
	tally := enginetest.Tally{Dir: dir}

	first := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT=crash+"+c.root)
	first.Wait(patience)
	steps, err := jobs.Crash.Steps()
	if err != nil {
		t.Fatal(err)
	}
	if steps < c.crash.Step {
		expect(t, first, jobs)
		return false
	}
	kept, ran := results(t, c.root), counts(t, tally)

	jobs.Crash = enginetest.Crash{}
	began := time.Now()
	second := enginetest.Start(t, place, "jobs", jobs, "MOPS_ROOT="+c.root)
	if code := second.Wait(patience); code != 0 {
		t.Errorf("started again, it exited with %d:\n%s", code, second.Stderr)
	}
	if c.took = time.Since(began); c.took > recovery {
		t.Errorf("started again, it took %v, more than %v:\n%s", c.took, recovery, second.Stderr)
	}
	expect(t, second, jobs)
	after := counts(t, tally)
	for name := range maps.Keys(after) {
		switch {
		case kept[name] && after[name] > ran[name]:
			t.Errorf("%s was kept, and was computed again: %d times before, %d after:\n%s", name, ran[name], after[name], second.Stderr)
		case after[name] > 2 && !(strings.Contains(c.name, "packs") && c.fails(jobs, name)): // else it was tried again, and failed
			t.Errorf("%s was computed %d times, with one crash:\n%s", name, after[name], second.Stderr)
		case c.crash.Role == enginetest.Orchestrator && ran[name] == 1 && after[name] > 1 && c.orphaned(jobs, name):
			t.Errorf("%s ran on when its orchestrator was killed, and was computed again:\n%s", name, second.Stderr)
		}
	}
	return true
}

func (c *crashRun) fails(jobs Jobs, name string) bool {
	return slices.ContainsFunc(jobs.Jobs, func(job Job) bool { return job.Work.Name == name && job.Work.End != "" })
}

// orphaned reports whether a job's function runs on without its orchestrator, and does not fail.
func (c *crashRun) orphaned(jobs Jobs, name string) bool {
	for _, job := range jobs.Jobs {
		if job.Work.Name == name {
			return (job.On == "sub" || job.On == "stay") && job.Work.End == ""
		}
	}
	return strings.HasSuffix(c.name, "in subprocess")
}

// results lists the names of the calls whose results are in the store.
func results(t *testing.T, root string) map[string]bool {
	t.Helper()
	ctx := context.Background()
	store, err := blob.Open(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for info, err := range store.List(ctx, "mops1/", "") {
		if err != nil {
			t.Fatal(err)
		}
		call, err := memokey.Parse(info.Key)
		if err != nil || call.Rest != "result" {
			continue
		}
		data, _, err := store.ReadAll(ctx, info.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		kept[nameIn(t, data)] = true
	}
	return kept
}

func counts(t *testing.T, tally enginetest.Tally) map[string]int {
	t.Helper()
	counts, err := tally.Count("start")
	if err != nil {
		t.Fatal(err)
	}
	return counts
}
