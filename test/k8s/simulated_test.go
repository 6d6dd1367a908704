package k8s_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// ends makes simulated pods end with a code, after a while.
func ends(code int, after time.Duration) Option {
	return Options(
		Annotation(testcluster.AnnotationExitCode, fmt.Sprint(code)), Annotation(testcluster.AnnotationDuration, after.String()),
	)
}

// simulated is an executor in a new namespace of the simulated cluster.
func simulated(t *testing.T, options ...Option) (*Executor, *testcluster.Cluster, string) {
	t.Helper()
	c := testcluster.Simulated(t)
	namespace := c.Namespace(t)
	return New(append([]Option{Kubeconfig(c.Kubeconfig), Namespace(namespace), Image("program:1"), Logs(0)}, options...)...), c, namespace
}

var calls atomic.Int64

// newCall is an invocation that there was not before.
func newCall() executor.Invocation {
	return executor.Invocation{
		Function: "weather/Forecast@3",
		MemoURI:  "s3://results/mops1/nightly/weather/Forecast@3/CatDogSun.abc",
		ID:       executor.ID{LeaseID: fmt.Sprintf("lease-%d-%d", time.Now().UnixNano(), calls.Add(1)), RunID: "2611231412-SkirtBus", Attempt: 1},
		Env:      []string{"MOPS_WORKER={$(HOME)}"},
	}
}

func start(t *testing.T, e *Executor, inv executor.Invocation) executor.Worker {
	t.Helper()
	w, err := e.Start(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// longest is for what takes seconds, on a machine that has much else to do.
const longest = 5 * time.Minute

// eventually waits for what comes about without an event.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > longest {
			t.Fatalf("it did not come about that %s", what)
		}
	}
}

// says waits until something has been said.
func says(t *testing.T, said *syncbuf.Buffer, what string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("it said:\n%s", said)
		}
	}()
	eventually(t, fmt.Sprintf("it says %q", what), func() bool { return strings.Contains(said.String(), what) })
}

// await waits for the end of a worker.
func await(t *testing.T, w executor.Worker) executor.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	exit, err := w.Wait(ctx)
	if err != nil {
		t.Fatalf("%s: %v", w.Handle(), err)
	}
	return exit
}

// failsWith checks a failure, that its message says something, and that its Job is gone.
func failsWith(t *testing.T, err error, reason executor.Reason, says string) {
	t.Helper()
	failure, ok := errors.AsType[*executor.Error](err)
	if !ok || failure.Reason != reason || !strings.Contains(err.Error(), says) {
		t.Errorf("%v; want %s and %q", err, reason, says)
	}
}

func jobIn(t *testing.T, c *testcluster.Cluster, handle string) (*batchv1.Job, bool) {
	t.Helper()
	namespace, name, _ := strings.Cut(handle, "/")
	job, err := c.Client().BatchV1().Jobs(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return job, err == nil
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	e, _, _ := simulated(t)
	for _, code := range []int{executor.ExitOK, executor.ExitFunc, executor.ExitLost, executor.ExitUnfit} {
		inv := newCall()
		w := start(t, e.With(ends(code, 0)), inv)
		if exit := await(t, w); exit.Code != code || (exit.Err != nil) != (code == executor.ExitUnfit) {
			t.Errorf("code %d, %v; want %d", exit.Code, exit.Err, code)
		}
		if w.Handle() != e.HandleOf(inv) {
			t.Errorf("the handle was to be %s, is %s", e.HandleOf(inv), w.Handle())
		}
		if _, err := e.Attach(t.Context(), inv, w.Handle()); !errors.Is(err, executor.ErrGone) {
			t.Errorf("attach to a worker that ended: %v", err)
		}
	}
}

func TestCrashIsTriedAgainByTheJob(t *testing.T) {
	t.Parallel()
	e, c, _ := simulated(t)
	w := start(t, e.With(ends(3, 0), Retries(1)), newCall())
	exit := await(t, w)
	failsWith(t, exit.Err, executor.WorkerFailed, "the last of 2 pods")
	if job, ok := jobIn(t, c, w.Handle()); !ok || job.Status.Failed != 2 || exit.Code != 3 {
		t.Errorf("code %d, %d pods failed", exit.Code, job.Status.Failed)
	}
}

func TestKilledIsNotTriedAgainByTheJob(t *testing.T) {
	t.Parallel()
	e, c, _ := simulated(t)
	w := start(t, e.With(ends(137, 0)), newCall())
	exit := await(t, w)
	failsWith(t, exit.Err, executor.Signalled, "SIGKILL")
	if job, _ := jobIn(t, c, w.Handle()); job.Status.Failed != 1 {
		t.Errorf("%d pods failed", job.Status.Failed)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	e, c, _ := simulated(t)
	w := start(t, e.With(ends(0, time.Hour)), newCall())
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := jobIn(t, c, w.Handle()); ok {
		t.Error("Stop returned, the Job is there")
	}
	if exit := await(t, w); exit.Code != -1 || !errors.Is(exit.Err, context.Canceled) {
		t.Errorf("%d, %v", exit.Code, exit.Err)
	}
}

func TestDeletedByOthers(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t)
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationBackground} {
		w := start(t, e.With(ends(0, time.Hour)), newCall())
		_, name, _ := strings.Cut(w.Handle(), "/")
		if err := c.Client().BatchV1().Jobs(namespace).Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			t.Fatal(err)
		}
		failsWith(t, await(t, w).Err, executor.WorkerLost, "deleted")
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, time.Hour))
	inv := newCall()
	w := start(t, e, inv)
	again, err := e.Attach(t.Context(), inv, w.Handle())
	if err != nil {
		t.Fatal(err)
	}
	other := inv
	other.LeaseID = "another"
	for handle, inv := range map[string]executor.Invocation{
		w.Handle(): other, namespace + "/none": inv, "nowhere/none": inv, "": inv, "x": inv, "a/b/c": inv,
	} {
		if _, err := e.Attach(t.Context(), inv, handle); !errors.Is(err, executor.ErrGone) {
			t.Errorf("attach to %q: %v; want ErrGone", handle, err)
		}
	}
	exits(t, c, namespace, isRunningSoon(t, c, w, ""), 0)
	for _, w := range []executor.Worker{w, again} {
		if exit := await(t, w); exit.Code != 0 || exit.Err != nil {
			t.Errorf("%d, %v", exit.Code, exit.Err)
		}
	}
}

// A Job that is there already under the very name was created by a request whose
// answer was lost.
func TestStartTwiceIsOneJob(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, 0))
	inv := newCall()
	one, two := start(t, e, inv), start(t, e, inv)
	if one.Handle() != two.Handle() || await(t, one).Err != nil || await(t, two).Err != nil {
		t.Errorf("%s, %s", one.Handle(), two.Handle())
	}
	jobs, err := c.Client().BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) != 1 {
		t.Errorf("%d Jobs, %v", len(jobs.Items), err)
	}
	inv.RunID = "another"
	_, err = e.Start(t.Context(), inv)
	failsWith(t, err, executor.LaunchRejected, "another Job has the name")
}

func TestNamespaceIsCreated(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, 0))
	absent := namespace + "-more"
	_, err := e.With(Namespace(absent), CreateNamespace(false)).Start(t.Context(), newCall())
	failsWith(t, err, executor.LaunchRejected, "there is no namespace "+absent)
	w := start(t, e.With(Namespace(absent)), newCall())
	t.Cleanup(func() {
		if err := c.Client().CoreV1().Namespaces().Delete(context.Background(), absent, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	if exit := await(t, w); exit.Err != nil {
		t.Error(exit.Err)
	}
}

// Many take no goroutine, and if they are stopped at once, they leave nothing.
func TestStopMany(t *testing.T) {
	e, c, namespace := simulated(t, ends(0, time.Hour))
	before := runtime.NumGoroutine()
	workers := startMany(t, e, 200)
	// Of the watches, and connections; those of the requests are about to end.
	eventually(t, "200 workers have less than 100 goroutines", func() bool { return runtime.NumGoroutine()-before < 100 })
	var stopping sync.WaitGroup
	for _, w := range workers {
		stopping.Go(func() {
			if err := w.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	stopping.Wait()
	jobs, err := c.Client().BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) > 0 {
		t.Errorf("%d Jobs are left, %v", len(jobs.Items), err)
	}
	noPods(t, c, namespace)
}

// noPods waits until a namespace without Jobs has no pods: a controller that has not
// heard yet that a Job was deleted may make one more, which the cluster then removes.
func noPods(t *testing.T, c *testcluster.Cluster, namespace string) {
	t.Helper()
	eventually(t, "no pods are left", func() bool {
		pods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(pods.Items) == 0
	})
}

// Pods satisfy the restricted Pod Security Standard, and a Job that waits in a
// queue is not one that cannot start.
func TestQueueInARestrictedNamespace(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, 0), Queue("batch"), StartGrace(time.Second), RoomGrace(time.Second))
	label := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	if _, err := c.Client().CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, label, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w := start(t, e, newCall())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if exit, err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("in the queue it ended: %v, %v", exit, err)
	}
	_, name, _ := strings.Cut(w.Handle(), "/")
	admitted := []byte(`{"spec":{"suspend":false}}`) // as Kueue does
	if _, err := c.Client().BatchV1().Jobs(namespace).Patch(t.Context(), name, types.MergePatchType, admitted, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if exit := await(t, w); exit.Code != 0 || exit.Err != nil {
		t.Errorf("%d, %v", exit.Code, exit.Err)
	}
}
