//go:build linux || darwin

package enginetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// TestPack: a call that kills its worker fails alone, and whatever was beside it
// does not. Nothing else is computed twice.
func TestPack(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	dir := filepath.Join(place, "dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var jobs Jobs
	for i := range 60 {
		jobs.Jobs = append(jobs.Jobs, Job{Work: Work{Name: fmt.Sprintf("w%d", i), Dir: dir}, On: "pack"})
	}
	ends := map[int]string{7: "kill", 20: "exit", 21: "panic elsewhere", 33: "fail", 50: "panic"}
	for i, end := range ends {
		jobs.Jobs[i].Work.End = end
	}
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	if code := p.Wait(time.Minute); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.Stderr)
	}
	kinds := map[string]string{"kill": "exec Signalled", "exit": "exec NoResult", "panic elsewhere": "exec WorkerFailed", "fail": "func", "panic": "panic"}
	ran := counts(t, enginetest.Tally{Dir: dir})
	for _, r := range reports(t, p) {
		name, end := jobs.Jobs[r.Index].Work.Name, ends[r.Index]
		times := 1
		if kind := kinds[end]; strings.HasPrefix(kind, "exec") {
			times = 2 // once more, alone
		}
		if r.Kind != kinds[end] || end == "" && r.Text != name {
			t.Errorf("%s, which ends with %q: %q, %s: %s", name, end, r.Text, r.Kind, r.Error)
		}
		if ran[name] != times {
			t.Errorf("%s, which ends with %q, ran %d times, want %d", name, end, ran[name], times)
		}
	}
	t.Log(p.Stderr)
	left, err := filepath.Glob(filepath.Join(place, "root/mops1-packs/*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left of packs: %q, %v", left, err)
	}
}

// packJobs are calls in packs, and where they note what they do.
func packJobs(t *testing.T, n int, change func(i int, j *Job)) (place string, jobs Jobs) {
	t.Helper()
	place = t.TempDir()
	dir := filepath.Join(place, "dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		job := Job{Work: Work{Name: fmt.Sprintf("w%d", i), Dir: dir}, On: "pack"}
		if change != nil {
			change(i, &job)
		}
		jobs.Jobs = append(jobs.Jobs, job)
	}
	return place, jobs
}

// onceEach checks that each call ran once, and those that were begun again.
func onceEach(t *testing.T, dir string, n, again int) {
	t.Helper()
	more := 0
	ran := counts(t, enginetest.Tally{Dir: dir})
	for _, times := range ran {
		more += times - 1
	}
	if len(ran) != n || more > again {
		t.Errorf("%d of %d calls ran, and %d of them again, want at most %d", len(ran), n, more, again)
	}
}

// Two programs that pack the same calls compute each once.
func TestTwoProgramsPackTheSame(t *testing.T) {
	t.Parallel()
	place, jobs := packJobs(t, 100, func(_ int, j *Job) { j.Work.Sleep, j.Work.Chance = 5*time.Millisecond, true })
	one := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	two := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	for _, p := range []*enginetest.Program{one, two} {
		if code := p.Wait(time.Minute); code != 0 {
			t.Errorf("exit code %d:\n%s", code, p.Stderr)
		}
	}
	other := reports(t, two)
	for i, r := range reports(t, one) {
		if r.Text == "" || r.Text != other[i].Text {
			t.Errorf("%d: one program got %q (%s), the other %q (%s)", i, r.Text, r.Error, other[i].Text, other[i].Error)
		}
	}
	onceEach(t, filepath.Join(place, "dir"), 100, 0)
}

// A call that takes too long is stopped, and nothing beside it.
func TestTimeoutInPack(t *testing.T) {
	t.Parallel()
	place, jobs := packJobs(t, 20, func(i int, j *Job) {
		if i == 3 {
			j.Work.Gate, j.Timeout = true, time.Second
		}
	})
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	p.Wait(time.Minute)
	for _, r := range reports(t, p) {
		want := ""
		if r.Index == 3 {
			want = "exec DeadlineExceeded"
		}
		if r.Kind != want {
			t.Errorf("%d: %s %s", r.Index, r.Kind, r.Error)
		}
	}
	onceEach(t, filepath.Join(place, "dir"), 20, 0)
}

// Calls in packs make calls that are packed, too.
func TestNestedPacks(t *testing.T) {
	t.Parallel()
	place, jobs := packJobs(t, 4, func(i int, j *Job) {
		j.Work.On = "pack"
		for k := range 3 {
			j.Work.Calls = append(j.Work.Calls, Work{Name: fmt.Sprintf("w%d-%d", i, k), Dir: j.Work.Dir})
		}
	})
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	if code := p.Wait(time.Minute); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
	expect(t, p, jobs)
	onceEach(t, filepath.Join(place, "dir"), 16, 0)
}

// Workers die at random, and with them what they compute; whatever is kept is
// not computed again, and every result is right.
func TestWorkersOfPacksDie(t *testing.T) {
	t.Parallel()
	n, kills := 200, 8
	place, jobs := packJobs(t, n, func(_ int, j *Job) { j.Work.Sleep = 20 * time.Millisecond })
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	dir := filepath.Join(place, "dir")
	killed := 0
	for killed < kills {
		before := len(counts(t, enginetest.Tally{Dir: dir}))
		select {
		case <-p.Done():
			t.Fatalf("it ended after %d kills:\n%s", killed, p.Stderr)
		default:
		}
		for _, pid := range enginetest.Processes(place) {
			if pid != p.PID() {
				enginetest.Kill(pid)
				killed++
				break
			}
		}
		enginetest.Eventually(t, 30*time.Second, "more calls begin", func() bool {
			now := len(counts(t, enginetest.Tally{Dir: dir}))
			return now >= min(before+5, n)
		})
	}
	if code := p.Wait(time.Minute); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
	expect(t, p, jobs)
	onceEach(t, dir, n, 2*kills) // two run in a worker
}

// goOn opens all gates, and expects a program to end with every result.
func goOn(t *testing.T, p *enginetest.Program, jobs Jobs) {
	t.Helper()
	for _, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
	}
	if code := p.Wait(time.Minute); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
	expect(t, p, jobs)
}

// A program that was killed is followed by one that finds its packs: nothing is
// computed again, and what was not begun goes on.
func TestPackIsAdopted(t *testing.T) {
	t.Parallel()
	place, jobs := packJobs(t, 20, func(_ int, j *Job) { j.On, j.Work.Gate = "pack20", true })
	dir := filepath.Join(place, "dir")
	first := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, time.Minute, "all functions run", func() bool { return len(counts(t, enginetest.Tally{Dir: dir})) == 20 })
	first.Kill()
	second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, time.Minute, "all calls are adopted", func() bool {
		return strings.Count(second.Stderr.String(), "a worker that lost its orchestrator is adopted") == 20
	})
	adoptedOnce(t, second, 1)
	goOn(t, second, jobs)
	onceEach(t, dir, 20, 0)
}

var adoptedPack = regexp.MustCompile(`a pack of calls that lost its orchestrator is adopted".* pack=(\S+)`)

// adoptedOnce expects that so many packs were adopted, each once. On a busy machine
// calls may come so slowly that they made more.
func adoptedOnce(t *testing.T, p *enginetest.Program, least int) {
	t.Helper()
	times := map[string]int{}
	for _, found := range adoptedPack.FindAllStringSubmatch(p.Stderr.String(), -1) {
		if times[found[1]]++; times[found[1]] == 2 {
			t.Errorf("pack %s was adopted again", found[1])
		}
	}
	if len(times) < least {
		t.Errorf("%d packs were adopted, want %d:\n%s", len(times), least, p.Stderr)
	}
}

// So is one that finds a pack which workers came to after another.
func TestSecondPackIsAdopted(t *testing.T) {
	t.Parallel()
	place, jobs := packJobs(t, 40, func(i int, j *Job) { j.On, j.Work.Gate = "pack20", i%4 == 0 })
	dir := filepath.Join(place, "dir")
	first := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, time.Minute, "all functions have begun", func() bool { return len(counts(t, enginetest.Tally{Dir: dir})) == 40 })
	if groups, err := os.ReadDir(filepath.Join(place, "groups")); err != nil || len(groups) != 1 {
		t.Errorf("%d groups of workers, %v", len(groups), err)
	}
	first.Kill()
	second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, time.Minute, "all calls that run are adopted", func() bool {
		return strings.Count(second.Stderr.String(), "a worker that lost its orchestrator is adopted") >= 10
	})
	adoptedOnce(t, second, 2)
	goOn(t, second, jobs)
	onceEach(t, dir, 40, 0)
}

// A program leaves its packs running, and the next one has what they compute.
func TestPackIsLeft(t *testing.T) {
	t.Parallel()
	place, jobs := packJobs(t, 20, func(_ int, j *Job) { j.On, j.Work.Gate, j.Detach = "pack20", true, true })
	dir := filepath.Join(place, "dir")
	first := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, time.Minute, "all functions run", func() bool { return len(counts(t, enginetest.Tally{Dir: dir})) == 20 })
	first.Signal(os.Interrupt)
	if code := first.Wait(time.Minute); code != 130 {
		t.Errorf("exit code %d:\n%s", code, first.Stderr)
	}
	for _, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
	}
	second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	if code := second.Wait(time.Minute); code != 0 {
		t.Errorf("exit code %d:\n%s", code, second.Stderr)
	}
	expect(t, second, jobs)
	onceEach(t, dir, 20, 0)
}
