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
	if code := p.Wait(patience); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.Stderr)
	}
	kinds := map[string]string{"kill": "exec Signalled", "exit": "exec NoResult", "panic elsewhere": "exec WorkerFailed", "fail": "func", "panic": "panic"}
	ran, again := counts(t, enginetest.Tally{Dir: dir}), 0
	all := reports(t, p)
	if len(all) != len(jobs.Jobs) {
		t.Errorf("%d calls were reported", len(all))
	}
	for _, r := range all {
		name, end := jobs.Jobs[r.Index].Work.Name, ends[r.Index]
		most := 1
		if kind := kinds[end]; strings.HasPrefix(kind, "exec") {
			most = 2 // once more, alone; on a busy machine it may have come so late that it was alone at first
		}
		if r.Kind != kinds[end] || end == "" && r.Text != name {
			t.Errorf("%s, which ends with %q: %q, %s: %s", name, end, r.Text, r.Kind, r.Error)
		}
		if ran[name] < 1 || ran[name] > most {
			t.Errorf("%s, which ends with %q, ran %d times, want at most %d", name, end, ran[name], most)
		}
		again += ran[name] - 1
	}
	if again == 0 {
		t.Error("no call that ended its worker was tried again, alone")
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
		if code := p.Wait(patience); code != 0 {
			t.Errorf("exit code %d:\n%s", code, p.Stderr)
		}
	}
	first, other := reports(t, one), reports(t, two)
	if len(first) != 100 || len(other) != 100 {
		t.Fatalf("the programs reported %d and %d calls of 100", len(first), len(other))
	}
	for i, r := range first {
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
	p.Wait(patience)
	for _, r := range reports(t, p) {
		want := ""
		if r.Index == 3 {
			want = "exec DeadlineExceeded"
		}
		if r.Kind != want {
			t.Errorf("%d: %s %s", r.Index, r.Kind, r.Error)
		}
	}
	ran := counts(t, enginetest.Tally{Dir: filepath.Join(place, "dir")})
	ran["w3"] = max(ran["w3"], 1) // its time may be over before its process has come to it
	for name, times := range ran {
		if times != 1 {
			t.Errorf("%s ran %d times", name, times)
		}
	}
	if len(ran) != 20 {
		t.Errorf("%d of 20 calls ran", len(ran))
	}
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
	if code := p.Wait(patience); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
	expect(t, p, jobs)
	onceEach(t, filepath.Join(place, "dir"), 16, 0)
}

// Workers die at random, and with them what they compute; whatever is kept is
// not computed again, and every result is right.
func TestWorkersOfPacksDie(t *testing.T) {
	t.Parallel()
	for kills := 8; kills > 0; { // where this process has to wait, a program ends before its time
		kills -= killWorkers(t, 200, kills)
	}
}

// killWorkers kills workers of a program that makes n calls, as many as it may, unless
// it ends before.
func killWorkers(t *testing.T, n, most int) (killed int) {
	place, jobs := packJobs(t, n, func(_ int, j *Job) { j.Work.Sleep = 20 * time.Millisecond })
	// Who is killed again where it runs alone would fail.
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place), "MOPS_RETRIES=20", "MOPS_RETRY_DELAY=10ms")
	dir := filepath.Join(place, "dir")
	begun := func() int { return len(counts(t, enginetest.Tally{Dir: dir})) }
	ended := func() bool {
		select {
		case <-p.Done():
			return true
		default:
			return false
		}
	}
	for killed < most && !ended() {
		before := begun()
		for _, pid := range enginetest.Processes(place) {
			if pid != p.PID() {
				enginetest.Kill(pid)
				killed++
				break
			}
		}
		enginetest.Eventually(t, patience, "more calls begin", func() bool { return begun() >= min(before+5, n) || ended() })
		if begun() == n {
			break
		}
	}
	if code := p.Wait(patience); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Stderr)
	}
	expect(t, p, jobs)
	onceEach(t, dir, n, 2*killed) // two run in a worker
	t.Logf("%d workers were killed", killed)
	return killed
}

// goOn opens all gates, and expects a program to end with every result.
func goOn(t *testing.T, p *enginetest.Program, jobs Jobs) {
	t.Helper()
	for _, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
	}
	if code := p.Wait(patience); code != 0 {
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
	enginetest.Eventually(t, patience, "all functions run", func() bool { return len(counts(t, enginetest.Tally{Dir: dir})) == 20 })
	first.Kill()
	second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, patience, "all calls are adopted", func() bool {
		return strings.Count(second.Stderr.String(), "a worker that lost its orchestrator is adopted") >= 20
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

// openPacks are the handles of calls that have no result.
func openPacks(t *testing.T, place string) (handles []string) {
	t.Helper()
	for _, s := range enginetest.Leases(t, fileRoot(place)) {
		if _, err := os.Stat(filepath.Join(place, "root", filepath.Dir(s.Key), "result")); err != nil {
			handles = append(handles, s.Handle)
		}
	}
	return handles
}

// So is one that finds a pack which workers came to after another.
func TestSecondPackIsAdopted(t *testing.T) {
	t.Parallel()
	var place, dir string
	var jobs Jobs
	open := 0
	for handed := false; !handed; { // calls that come slowly may make packs with workers of their own
		place, jobs = packJobs(t, 40, func(i int, j *Job) { j.On, j.Work.Gate = "pack20", i%4 == 0 })
		dir = filepath.Join(place, "dir")
		first := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
		enginetest.Eventually(t, patience, "all functions have begun", func() bool { return len(counts(t, enginetest.Tally{Dir: dir})) == 40 })
		enginetest.Eventually(t, patience, "the others have ended", func() bool { return len(openPacks(t, place)) == 10 })
		packs := map[string]bool{}
		for _, handle := range openPacks(t, place) {
			if packed, ok := strings.CutPrefix(handle, "pack:"); ok {
				_, group, _ := strings.Cut(packed, ":")
				_, err := os.Stat(filepath.Join(place, "groups", group))
				packs[handle], handed = true, handed || err != nil // it has none of its own
			}
		}
		open = len(packs)
		first.Kill()
	}
	second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, patience, "all calls that run are adopted", func() bool {
		return strings.Count(second.Stderr.String(), "a worker that lost its orchestrator is adopted") >= 10
	})
	adoptedOnce(t, second, open)
	goOn(t, second, jobs)
	onceEach(t, dir, 40, 0)
}

// A program leaves its packs running, and the next one has what they compute.
func TestPackIsLeft(t *testing.T) {
	t.Parallel()
	place, jobs := packJobs(t, 20, func(_ int, j *Job) { j.On, j.Work.Gate, j.Detach = "pack20", true, true })
	dir := filepath.Join(place, "dir")
	first := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, patience, "all functions run", func() bool { return len(counts(t, enginetest.Tally{Dir: dir})) == 20 })
	first.Signal(os.Interrupt)
	if code := first.Wait(patience); code != 130 {
		t.Errorf("exit code %d:\n%s", code, first.Stderr)
	}
	for _, job := range jobs.Jobs {
		if err := job.Work.openGate(); err != nil {
			t.Fatal(err)
		}
	}
	second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	if code := second.Wait(patience); code != 0 {
		t.Errorf("exit code %d:\n%s", code, second.Stderr)
	}
	expect(t, second, jobs)
	onceEach(t, dir, 20, 0)
}
