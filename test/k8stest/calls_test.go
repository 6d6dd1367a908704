package k8stest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/test/cluster"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// rig is a place that programs and pods share, and a namespace.
type rig struct {
	*testing.T
	cluster *cluster.Cluster
	calls   Calls
	root    string
}

func newRig(t *testing.T, n int, change func(*Work)) *rig {
	t.Helper()
	return newRigOn(t, cluster.Real(t), n, change)
}

func newRigOn(t *testing.T, c *cluster.Cluster, n int, change func(*Work)) *rig {
	t.Helper()
	place := t.TempDir()
	r := &rig{T: t, cluster: c, root: "file://" + place + "/root"}
	r.calls = Calls{Namespace: c.Namespace(t), Image: pushed(t, c), Place: place}
	for i := range n {
		w := Work{Name: fmt.Sprintf("w%d", i)}
		if change != nil {
			change(&w)
		}
		r.calls.Works = append(r.calls.Works, w)
	}
	return r
}

func (r *rig) start(env ...string) *enginetest.Program {
	r.Helper()
	p := enginetest.Start(r, r.calls.Place, "calls", r.calls, append(env, "KUBECONFIG="+r.cluster.Kubeconfig, "MOPS_ROOT="+r.root)...)
	r.Cleanup(func() {
		if r.Failed() {
			r.Logf("a program's standard error:\n%s", p.Stderr)
		}
	})
	return p
}

// open lets all work go on that waits at the gate.
func (r *rig) open() {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.calls.Place, "open"), nil, 0o666); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) begun() map[string]int {
	r.Helper()
	counts, err := (enginetest.Tally{Dir: r.calls.Place}).Count("begin")
	if err != nil {
		r.Fatal(err)
	}
	return counts
}

func (r *rig) awaitBegun(n int) {
	r.Helper()
	enginetest.Eventually(r, longest, fmt.Sprintf("%d functions run", n), func() bool { return len(r.begun()) >= n })
}

// jobs and pods are how many there are in the namespace.
func (r *rig) jobs() int {
	r.Helper()
	list, err := r.cluster.Client().BatchV1().Jobs(r.calls.Namespace).List(r.Context(), v1.ListOptions{})
	if err != nil {
		r.Fatal(err)
	}
	return len(list.Items)
}

func (r *rig) pods() int {
	r.Helper()
	list, err := r.cluster.Client().CoreV1().Pods(r.calls.Namespace).List(r.Context(), v1.ListOptions{})
	if err != nil {
		r.Fatal(err)
	}
	return len(list.Items)
}

// leavesNothing checks that a program that was interrupted has left neither a Job nor a
// lease, and waits until there is no pod: a controller that has not heard yet that a Job
// was deleted may make one more, which the cluster then removes.
func (r *rig) leavesNothing(p *enginetest.Program) {
	r.Helper()
	if jobs, held := r.jobs(), r.held(); jobs+len(held) > 0 {
		r.Errorf("%d Jobs and %d leases are left; standard error:\n%s", jobs, len(held), p.Stderr)
	}
	enginetest.Eventually(r, longest, "no pod is left", func() bool { return r.pods() == 0 })
}

// jobsOfRun is how many Jobs there are of the program's run that computed a call, by
// its name in the root.
func (r *rig) jobsOfRun(report Report) int {
	r.Helper()
	run := r.recorded(report.URI).ProgramRun
	if kept, err := filepath.Glob(filepath.Join(r.calls.Place, "root/mops1-runs", run, "*")); err != nil || run == "" || len(kept) == 0 {
		r.Errorf("the root knows no run %q, %v", run, err)
	}
	list, err := r.cluster.Client().BatchV1().Jobs(r.calls.Namespace).List(r.Context(), v1.ListOptions{LabelSelector: "mops.trilliant.health/program-run=" + run})
	if err != nil {
		r.Fatal(err)
	}
	return len(list.Items)
}

// expect checks that a program ended well and said of each call what it computes.
func (r *rig) expect(p *enginetest.Program) []Report {
	r.Helper()
	code := p.Wait(longest)
	reports := reportsOf(r.T, p)
	said := map[string]bool{}
	for _, report := range reports {
		if report.Error != "" {
			r.Errorf("a call failed: %s", report.Error)
		}
		said[report.Answer.Name] = true
	}
	if code != 0 || len(said) != len(r.calls.Works) {
		r.Errorf("exit code %d, %d of %d calls; standard error:\n%s", code, len(said), len(r.calls.Works), p.Stderr)
	}
	return reports
}

// once checks that no call was executed twice, wherever.
func (r *rig) once() {
	r.Helper()
	begun := r.begun()
	for name, n := range begun {
		if n != 1 {
			r.Errorf("%s was executed %d times", name, n)
		}
	}
	if len(begun) != len(r.calls.Works) {
		r.Errorf("%d of %d calls were executed", len(begun), len(r.calls.Works))
	}
}

func reportsOf(t *testing.T, p *enginetest.Program) (all []Report) {
	t.Helper()
	for decoder := json.NewDecoder(strings.NewReader(p.Stdout.String())); ; {
		var r Report
		if err := decoder.Decode(&r); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, p.Stdout)
		}
		all = append(all, r)
	}
}

// held are the leases of the root that are held, though there is no result.
func (r *rig) held() (held []string) {
	r.Helper()
	store, err := blob.Open(r.Context(), r.root)
	if err != nil {
		r.Fatal(err)
	}
	for _, state := range enginetest.Leases(r, r.root) {
		_, err := store.Stat(r.Context(), strings.TrimSuffix(state.Key, "lease")+"result")
		if state.Status == lease.StatusHeld && blob.Is(err, blob.NotFound) {
			held = append(held, state.Key)
		}
	}
	return held
}

// A call runs in a pod, its lines are on the screen and in the store, and the
// next program that makes it has a hit.
func TestCalls(t *testing.T) {
	t.Parallel()
	n := 30
	if soak {
		n = 100
	}
	r := newRig(t, n, nil)
	p := r.start()
	reports := r.expect(p)
	for _, report := range reports {
		if report.Outcome != mops.Computed || !strings.HasPrefix(report.Answer.Pod, "mops-k8stest-work-") {
			t.Errorf("%+v", report)
		}
	}
	if jobs := r.jobsOfRun(reports[0]); jobs != n {
		t.Errorf("%d of %d Jobs have the label of the program's run", jobs, n)
	}
	for _, w := range r.calls.Works {
		for _, line := range []string{w.Name + " begins\n", w.Name + " ends\n"} {
			if n := strings.Count(p.Stderr.String(), line); n != 1 {
				t.Errorf("%q is %d times on the screen:\n%s", line, n, p.Stderr)
			}
		}
	}
	if log := enginetest.Logs(t, r.root); strings.Count(log, "begins\n") != n || strings.Count(log, "ends\n") != n {
		t.Errorf("the logs in the store are %q", log)
	}
	for _, report := range r.expect(r.start()) {
		if report.Outcome != mops.Hit {
			t.Errorf("%+v", report)
		}
	}
	r.once()
}

// Ctrl-C leaves no Job, no pod and no lease.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	n := 8
	if soak {
		n = 200
	}
	r := newRig(t, n, func(w *Work) { w.Gate = true })
	p := r.start()
	r.awaitBegun(n / 2)
	p.Signal(syscall.SIGINT)
	if code := p.Wait(longest); code != 130 {
		t.Errorf("exit code %d; standard error:\n%s", code, p.Stderr)
	}
	r.leavesNothing(p)
}

// A program that was killed is started again: it finds its Jobs, whether their
// pods have begun or not, shows what they print, and computes nothing twice.
func TestKilledProgramFindsItsJobs(t *testing.T) {
	t.Parallel()
	n := 6
	if soak {
		n = 60
	}
	for name, killable := range map[string]func(r *rig) bool{
		"as soon as there are leases": func(r *rig) bool { return len(r.held()) > 0 },
		"as soon as there is a Job":   func(r *rig) bool { return r.jobs() > 0 },
		"as soon as a function runs":  func(r *rig) bool { return len(r.begun()) > 0 },
		"while all functions run":     func(r *rig) bool { return len(r.begun()) == n },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, n, func(w *Work) { w.Gate = true })
			p := r.start()
			enginetest.Eventually(t, longest, name, func() bool { return killable(r) })
			p.Kill()
			again := r.start()
			// A function that ended before the second program asked for it is a hit, and
			// prints nothing there: the gate stays shut till the program follows them all.
			enginetest.Eventually(t, longest, "the program that starts again follows all functions", func() bool {
				return !slices.ContainsFunc(r.calls.Works, func(w Work) bool {
					return !strings.Contains(again.Stderr.String(), w.Name+" begins\n")
				})
			})
			if adopted := strings.Count(again.Stderr.String(), "is adopted"); name == "while all functions run" && adopted != n {
				t.Errorf("%d of %d workers are adopted", adopted, n)
			}
			r.open()
			r.expect(again)
			r.once()
			for _, w := range r.calls.Works {
				for _, line := range []string{w.Name + " begins\n", w.Name + " ends\n"} {
					if n := strings.Count(again.Stderr.String(), line); n != 1 {
						t.Errorf("%q is %d times on the screen", line, n)
					}
				}
			}
		})
	}
}

// The API server is killed and comes back while calls run: none is lost, none
// runs twice.
func TestAPIServerRestarts(t *testing.T) {
	n := 8
	if soak {
		n = 200
	}
	r := newRig(t, n, func(w *Work) { w.Gate = true })
	p := r.start()
	r.awaitBegun(n / 2) // the others are being created
	if err := r.cluster.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.awaitBegun(n)
	if err := r.cluster.StopAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.open() // they end while nobody can see it
	enginetest.Eventually(t, longest, "all results are there", func() bool { return len(r.held()) == 0 })
	if err := r.cluster.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.expect(p)
	r.once()
}

// A program that was suspended, a laptop that slept, finds its Jobs gone when it
// goes on: the cluster removed them after their time. The results are there.
func TestJobsRemovedBeforeTheyWereSeen(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, func(w *Work) { w.Gate = true })
	r.calls.Brief = true
	p := r.start()
	r.awaitBegun(len(r.calls.Works))
	p.Signal(syscall.SIGSTOP)
	r.open()
	enginetest.Eventually(t, longest, "the Jobs are gone", func() bool { return r.jobs() == 0 })
	p.Signal(syscall.SIGCONT)
	r.expect(p)
	r.once()
}
