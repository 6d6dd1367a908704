package k8stest_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// A pack of calls on a cluster: what a call does to its process or its pod is its
// own affair. It is run again in a Job of its own, and those beside it have their
// results.
func TestPackWithMisbehavingCalls(t *testing.T) {
	t.Parallel()
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
	p.Wait(longest)
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
	well := slices.IndexFunc(reports, func(report Report) bool { return report.Reason == "" })
	if all, its := r.jobs(), r.jobsOfRun(reports[well]); all == 0 || its != all {
		t.Errorf("%d of %d Jobs have the label of the program's run", its, all)
	}
}

// packed makes the calls of a rig go into packs.
func (r *rig) packed(side int) *rig {
	r.calls.Pack, r.calls.Side = 10*time.Second, side
	return r
}

// Ctrl-C leaves no Job, no pod, no lease and no pack.
func TestPackInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t, 8, func(w *Work) { w.Gate = true }).packed(8)
	p := r.start()
	r.awaitBegun(4)
	p.Signal(syscall.SIGINT)
	if code := p.Wait(longest); code != 130 {
		t.Errorf("exit code %d; standard error:\n%s", code, p.Stderr)
	}
	r.leavesNothing(p)
	if left, err := filepath.Glob(filepath.Join(r.calls.Place, "root/mops1-packs/*")); err != nil || len(left) > 0 {
		t.Errorf("packs are left: %q, %v", left, err)
	}
}

// A program that was killed is started again, and goes on with its packs.
func TestKilledProgramFindsItsPacks(t *testing.T) {
	t.Parallel()
	r := newRig(t, 8, func(w *Work) { w.Gate = true }).packed(8)
	p := r.start()
	r.awaitBegun(8)
	p.Kill()
	again := r.start()
	enginetest.Eventually(t, longest, "the calls are adopted", func() bool {
		return strings.Count(again.Stderr.String(), "a worker that lost its orchestrator is adopted") == 8
	})
	r.open()
	r.expect(again)
	r.once()
}

// Pods of packs are deleted while they compute: every result is right, and only
// what a pod was computing is computed again.
func TestPodsOfPacksDie(t *testing.T) {
	t.Parallel()
	const n, side, kills = 300, 2, 3
	r := newRig(t, n, func(w *Work) { w.Seconds = 0.3 }).packed(side)
	r.calls.Limit = 4
	p := r.start()
	pods := r.cluster.Client().CoreV1().Pods(r.calls.Namespace)
	for range kills {
		enough := min(len(r.begun())+20, n)
		enginetest.Eventually(t, longest, "more calls have begun", func() bool { return len(r.begun()) >= enough })
		list, err := pods.List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Running"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) == 0 {
			continue
		}
		victim := list.Items[rand.N(len(list.Items))]
		now := metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
		if err := pods.Delete(t.Context(), victim.Name, now); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	r.expect(p)
	more := 0
	for _, times := range r.begun() {
		more += times - 1
	}
	if more > kills*side {
		t.Errorf("%d calls were computed again after %d pods died, want at most %d", more, kills, kills*side)
	}
}
