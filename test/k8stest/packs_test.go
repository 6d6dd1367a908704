package k8stest_test

import (
	"strings"
	"testing"
	"time"
)

// A pack of calls on a cluster: what a call does to its process or its pod is its
// own affair. It is run again in a Job of its own, and those beside it have their
// results.
func TestPackWithMisbehavingCalls(t *testing.T) {
	ends := map[int]struct{ end, reason string }{
		3: {"exit", "WorkerFailed"}, 9: {"crash", "WorkerFailed"}, 12: {"error", "func"}, 17: {"panic", "func"}, 20: {"memory", "OOMKilled"},
	}
	n := 0
	r := newRig(t, 40, func(w *Work) {
		if w.End = ends[n].end; w.End == "memory" {
			w.End, w.MiB = "", 2000
		}
		n++
	})
	r.calls.Pack, r.calls.Side, r.calls.Limit = 10*time.Second, 4, 8
	p := r.start()
	p.Wait(3 * time.Minute)
	reports := reportsOf(t, p)
	if len(reports) != 40 {
		t.Errorf("%d reports", len(reports))
	}
	begun := r.begun()
	for _, report := range reports {
		var want string
		for i, end := range ends {
			if report.Work == r.calls.Works[i].Name {
				want = end.reason
			}
		}
		if report.Reason != want || want == "" && report.Answer.Name != report.Work {
			t.Errorf("%s: %q, %s", report.Work, report.Reason, report.Error)
		}
		if want == "" && begun[report.Work] > 2 || want == "func" && begun[report.Work] != 1 {
			t.Errorf("%s was begun %d times", report.Work, begun[report.Work])
		}
	}
	if strings.Contains(p.Stderr.String(), "level=ERROR") {
		t.Error("an error was logged")
	}
	t.Logf("%s", p.Stderr)
}
