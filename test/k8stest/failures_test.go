package k8stest_test

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Each way in which a worker may end, all of them at once: the error says what
// happened, in the words of the worker or of the cluster.
func TestFailures(t *testing.T) {
	t.Parallel()
	want := map[string]struct {
		work   Work
		begun  int    // how often it ran
		reason string // "": it succeeds
		says   string
	}{
		"error":    {Work{End: "error"}, 1, "func", "error fails"},
		"panic":    {Work{End: "panic"}, 1, "func", "panic panics"},
		"killed":   {Work{End: "kill once"}, 2, "", ""},
		"exits":    {Work{End: "exit"}, 2, "WorkerFailed", "exit code 9"},
		"more":     {Work{MiB: 150}, 3, "", ""}, // of 64, then 128, then 256 MiB
		"too-much": {Work{MiB: 600}, 3, "OOMKilled", "256Mi"},
	}
	r := newRig(t, 0, nil)
	for name, c := range want {
		c.work.Name = name
		r.calls.Works = append(r.calls.Works, c.work)
	}
	p := r.start()
	if code := p.Wait(longest); code != 1 {
		t.Errorf("exit code %d", code)
	}
	begun := r.begun()
	for _, report := range reportsOf(t, p) {
		c := want[report.Work]
		if report.Reason != c.reason || !strings.Contains(report.Error, c.says) || c.reason == "" && report.Answer.Name != report.Work {
			t.Errorf("%s: %q %s", report.Work, report.Reason, report.Error)
		}
		if begun[report.Work] != c.begun {
			t.Errorf("%s ran %d times, want %d", report.Work, begun[report.Work], c.begun)
		}
		if c.reason != "" {
			t.Logf("%s: %s", report.Work, report.Error)
		}
		delete(want, report.Work)
	}
	if len(want) > 0 {
		t.Errorf("no word of %v", want)
	}
	if held := r.held(); len(held) > 0 {
		t.Errorf("leases are left: %q", held)
	}
}

// A worker that crashes is started again once, with a line that says why. When it
// has crashed in the same way, that is all, though six retries are allowed.
func TestCrashes(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0, nil)
	r.calls.Retries = 6
	r.calls.Works = []Work{{Name: "goroutine", End: "crash"}, {Name: "exit", End: "exit"}}
	p := r.start()
	p.Wait(longest)
	says := map[string]string{"goroutine": "crashed (exit code 2)", "exit": "exit code 9"}
	reports := reportsOf(t, p)
	for _, report := range reports {
		if report.Reason != "WorkerFailed" || !strings.Contains(report.Error, "crashed twice in the same way") || !strings.Contains(report.Error, says[report.Work]) {
			t.Errorf("%s: %q %s", report.Work, report.Reason, report.Error)
		}
		t.Logf("%s: %s", report.Work, report.Error)
	}
	if begun := r.begun(); len(reports) != 2 || begun["goroutine"] != 2 || begun["exit"] != 2 {
		t.Errorf("%d calls ended; they ran so often: %v", len(reports), begun)
	}
	for _, line := range []string{"workers failed and are started again", `retry="1 of 6"`} {
		if n := strings.Count(p.Stderr.String(), line); n != 2 {
			t.Errorf("%q is there %d times:\n%s", line, n, p.Stderr)
		}
	}
	if !strings.Contains(p.Stderr.String(), `last_words="panic: goroutine crashes at`) {
		t.Errorf("the cause is not in the line:\n%s", p.Stderr)
	}
	if n := r.jobs(); n != 0 {
		t.Errorf("%d Jobs are left", n)
	}
}

// The image holds another version of the program: the worker refuses, nothing
// runs, and nothing is tried again.
func TestVersionSkew(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	other, err := enginetest.Build("-X github.com/TrilliantHealth/mops-go/test/k8stest_test.version=2")
	if err != nil {
		t.Fatal(err)
	}
	r.calls.Image = push(t, r.cluster, other)
	p := r.start()
	p.Wait(longest)
	reports := reportsOf(t, p)
	if len(reports) != 1 || reports[0].Reason != "VersionSkew" || !strings.Contains(reports[0].Error, "0 against 2") {
		t.Errorf("%+v", reports)
	}
	if n := r.jobs(); n != 1 || len(r.begun()) != 0 {
		t.Errorf("%d Jobs, %v ran", n, r.begun())
	}
}
