package k8stest_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	schedulingv1 "k8s.io/api/scheduling/v1"
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Queue is where calls wait for their turn.
type Queue struct {
	Name     string // of a LocalQueue; "": nowhere
	CPU      string // that each call asks for
	Priority string // a PriorityClass; "": none
	Timeout  time.Duration
}

// options are those of the executor. A call has no retry to lose.
func (q Queue) options() []k8s.Option {
	if q.Name == "" {
		return nil
	}
	options := []k8s.Option{k8s.Queue(q.Name), k8s.CPU(q.CPU), k8s.Retries(0)}
	if q.Priority != "" {
		options = append(options, k8s.PriorityClass(q.Priority))
	}
	return options
}

// newQueue is a rig whose calls wait in a queue with room for one of them.
func newQueue(t *testing.T, n int, change func(*Work)) *rig {
	t.Helper()
	r := newRig(t, n, change)
	r.calls.Queue = Queue{Name: r.cluster.Queue(t, r.calls.Namespace, "100m"), CPU: "100m"}
	return r
}

// says waits until a program has said something on standard error.
func (r *rig) says(p *enginetest.Program, what ...string) {
	r.Helper()
	enginetest.Eventually(r, longest, fmt.Sprintf("%q is said", what), func() bool {
		said := p.Stderr.String()
		for _, what := range what {
			if !strings.Contains(said, what) {
				return false
			}
		}
		return true
	})
}

// Calls wait for their turn and say why. A program that was killed meanwhile finds its
// Jobs again, those that run and those that wait, and each is computed once.
func TestKueueLetsGo(t *testing.T) {
	t.Parallel()
	r := newQueue(t, 3, func(w *Work) { w.Gate = true })
	const lacks = "insufficient unused quota for cpu in flavor default, 100m more needed"
	p := r.start("MOPS_PROGRESS=plain")
	r.awaitBegun(1)
	r.says(p, "mops: queued: couldn't assign flavors to pod set main: "+lacks, "workers wait for their turn in a queue")
	p.Kill()
	again := r.start("MOPS_PROGRESS=plain")
	enginetest.Eventually(t, longest, "all three are adopted", func() bool { return strings.Count(again.Stderr.String(), "is adopted") == 3 })
	r.says(again, "2 queued", lacks)
	if jobs, workloads, begun := r.jobs(), len(r.cluster.Workloads(t, r.calls.Namespace)), len(r.begun()); jobs != 3 || workloads != 3 || begun != 1 {
		t.Errorf("%d Jobs, %d Workloads, %d functions run", jobs, workloads, begun)
	}
	r.open()
	r.expect(again)
	r.once()
}

// A call of a higher priority takes the turn of one that runs, which goes on later as
// if nothing had been, though it waits for longer than it may take.
func TestKueuePreempts(t *testing.T) {
	t.Parallel()
	low := newQueue(t, 1, func(w *Work) { w.Gate = true })
	low.calls.Queue.Timeout = 30 * time.Second // which it has, too, until it has to make way
	class := &schedulingv1.PriorityClass{ObjectMeta: v1.ObjectMeta{Name: "high-" + low.calls.Namespace}, Value: 1000}
	classes := low.cluster.Client().SchedulingV1().PriorityClasses()
	if _, err := classes.Create(t.Context(), class, v1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { classes.Delete(context.Background(), class.Name, v1.DeleteOptions{}) })
	p := low.start("MOPS_PROGRESS=plain")
	low.awaitBegun(1)

	high := newRig(t, 1, func(w *Work) { w.Seconds = low.calls.Queue.Timeout.Seconds() })
	high.calls.Namespace, high.calls.Queue = low.calls.Namespace, low.calls.Queue
	high.calls.Queue.Priority, high.calls.Queue.Timeout = class.Name, 0
	high.expect(high.start())
	low.says(p, "Preempted to accommodate a workload")
	enginetest.Eventually(t, longest, "the first call runs again", func() bool { return low.begun()["w0"] == 2 })
	low.open()
	for _, report := range low.expect(p) {
		if report.Outcome != "computed" {
			t.Errorf("%+v", report)
		}
	}
	if said := p.Stderr.String(); strings.Contains(said, "tried again") || strings.Contains(said, "started again") {
		t.Errorf("a retry was used up:\n%s", said)
	}
	if begun := low.begun(); begun["w0"] != 2 {
		t.Errorf("%v", begun)
	}
}

// A pack gives its turn to a call of a higher priority, and goes on later where it was:
// only what its pod was computing is computed again.
func TestKueuePreemptsPack(t *testing.T) {
	t.Parallel()
	const side = 2
	low := newQueue(t, 40, func(w *Work) { w.Seconds = 0.3 }).packed(side)
	class := &schedulingv1.PriorityClass{ObjectMeta: v1.ObjectMeta{Name: "higher-" + low.calls.Namespace}, Value: 1000}
	classes := low.cluster.Client().SchedulingV1().PriorityClasses()
	if _, err := classes.Create(t.Context(), class, v1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { classes.Delete(context.Background(), class.Name, v1.DeleteOptions{}) })
	p := low.start("MOPS_PROGRESS=plain")
	low.awaitBegun(2*side + 2)

	high := newRig(t, 1, nil)
	high.calls.Namespace, high.calls.Queue = low.calls.Namespace, low.calls.Queue
	high.calls.Queue.Priority = class.Name
	high.expect(high.start())
	low.expect(p)
	more := 0
	for _, times := range low.begun() {
		more += times - 1
	}
	if more > side {
		t.Errorf("%d calls were computed again, want at most %d", more, side)
	}
}

// A pack that wants more pods than its queue ever has room for begins with those that
// fit: here one.
func TestKueueLetsPartOfPackGo(t *testing.T) {
	t.Parallel()
	const side = 2
	r := newQueue(t, 60, func(w *Work) { w.Seconds = 0.5 }).packed(side)
	r.calls.Pack = 3 * time.Second
	p := r.start("MOPS_PROGRESS=plain")
	most := 0
	enginetest.Eventually(t, longest, "the program has ended", func() bool {
		jobs, err := r.cluster.Client().BatchV1().Jobs(r.calls.Namespace).List(t.Context(), v1.ListOptions{})
		if err != nil {
			return false
		}
		for _, job := range jobs.Items {
			most = max(most, int(*job.Spec.Completions))
		}
		select {
		case <-p.Done():
			return true
		default:
			return false
		}
	})
	r.expect(p)
	r.once()
	if most < 2 {
		t.Errorf("no pack wanted more than %d pod: this test shows nothing", most)
	}
}

// A Job that its queue never lets go says so, and Ctrl-C leaves nothing of it.
func TestKueueNeverLetsGo(t *testing.T) {
	t.Parallel()
	r := newQueue(t, 2, nil)
	large, nowhere := r.calls.Queue, r.calls.Queue
	large.CPU, nowhere.Name = "1", "nowhere"
	var programs []*enginetest.Program
	for queue, says := range map[Queue]string{
		large:   "current podset request (1) > maximum capacity (100m)",
		nowhere: "LocalQueue nowhere doesn't exist",
	} {
		at := newRig(t, 1, nil)
		at.calls.Namespace, at.calls.Queue = r.calls.Namespace, queue
		p := at.start()
		at.says(p, "workers wait in a queue that does not let them go", says, "k8s.Queue")
		programs = append(programs, p)
	}
	for _, p := range programs {
		p.Signal(syscall.SIGINT)
		if code := p.Wait(longest); code != 130 {
			t.Errorf("exit code %d; standard error:\n%s", code, p.Stderr)
		}
	}
	enginetest.Eventually(t, longest, "no Job and no Workload is left", func() bool {
		return r.jobs()+len(r.cluster.Workloads(t, r.calls.Namespace)) == 0
	})
}
