package k8s_test

import (
	"context"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// agent adds a sidecar that runs until it is told to end: an ordinary container,
// or one of the cluster's own kind.
func agent(native bool) Option {
	return Transform(func(job *batchv1.Job) error {
		spec := &job.Spec.Template.Spec
		c := corev1.Container{Name: "agent", Image: spec.Containers[0].Image, Env: []corev1.EnvVar{
			{Name: "MOPS_TEST_WORKER", Value: "lines"}, {Name: "MOPS_TEST_WORKER_LINES", Value: "3600 1s"},
		}}
		if native {
			c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
			spec.InitContainers = append(spec.InitContainers, c)
		} else {
			spec.Containers = append([]corev1.Container{c}, spec.Containers...)
		}
		return nil
	})
}

// watchJob watches a worker's Job.
func watchJob(t *testing.T, c *testcluster.Cluster, w executor.Worker) watch.Interface {
	t.Helper()
	namespace, name, _ := strings.Cut(w.Handle(), "/")
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	t.Cleanup(cancel)
	events, err := c.Client().BatchV1().Jobs(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	return events
}

// isGoneSoon checks that a worker's Job is being deleted, and waits until it is
// gone, with its pods.
func isGoneSoon(t *testing.T, c *testcluster.Cluster, w executor.Worker) {
	t.Helper()
	if job, ok := jobIn(t, c, w.Handle()); ok && job.DeletionTimestamp == nil {
		t.Fatal("its Job is not being deleted")
	}
	namespace, name, _ := strings.Cut(w.Handle(), "/")
	events := watchJob(t, c, w)
	if _, ok := jobIn(t, c, w.Handle()); ok {
		for event := range events.ResultChan() {
			if event.Type == watch.Deleted {
				break
			}
		}
	}
	left, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "job-name=" + name})
	if _, ok := jobIn(t, c, w.Handle()); err != nil || ok || len(left.Items) > 0 {
		t.Errorf("its Job is there: %v, and %d pods, %v", ok, len(left.Items), err)
	}
}

// What counts is the worker's container. Sidecars end when it has.
func TestSidecars(t *testing.T) {
	t.Parallel()
	e, c, _ := onReal(t)
	crashes := does("lines", "LINES", "2 1ms", "CODE", "3")
	for _, test := range []struct {
		name    string
		native  bool
		options []Option
		code    int
		reason  executor.Reason // "": no error
		says    string
		stays   bool // the Job, for its TTL
	}{
		{"success", false, []Option{does("lines", "LINES", "2 1ms")}, 0, "", "", false},
		{"the function failed", false, []Option{does("lines", "LINES", "2 1ms", "CODE", "46")}, 46, "", "", false},
		{"crash", false, []Option{crashes}, -1, executor.WorkerFailed, "crashed twice in the same way", false},
		{"crash without retries", false, []Option{crashes, Retries(0)}, 3, executor.WorkerFailed, "exit code 3", true},
		{"out of memory", false, []Option{does("eat", "BYTES", "100000000"), Memory("32Mi"), Env("GOMEMLIMIT", "off")}, 137, executor.OOMKilled, "32Mi", false},
		{"success beside one of the cluster's kind", true, []Option{does("lines", "LINES", "2 1ms")}, 0, "", "", true},
		{"crash beside one of the cluster's kind", true, []Option{crashes, Retries(0)}, 3, executor.WorkerFailed, "exit code 3", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			w, exit, printed := run(t, e.With(append(test.options, agent(test.native))...), newCall())
			took := time.Since(began)
			if exit.Code != test.code || (exit.Err != nil) != (test.reason != "") {
				t.Errorf("code %d, %v; it printed\n%s", exit.Code, exit.Err, printed)
			}
			if test.reason != "" {
				failsWith(t, exit.Err, test.reason, test.says)
			}
			t.Logf("it took %v", took)
			if !test.stays {
				isGoneSoon(t, c, w)
				return
			}
			awaitJob(t, c, w, func(job *batchv1.Job) bool { return is(job, batchv1.JobComplete) || is(job, batchv1.JobFailed) })
		})
	}
}

// awaitJob waits until a worker's Job is as it should be.
func awaitJob(t *testing.T, c *testcluster.Cluster, w executor.Worker, isSo func(*batchv1.Job) bool) {
	t.Helper()
	events := watchJob(t, c, w)
	for event := range events.ResultChan() {
		if job, ok := event.Object.(*batchv1.Job); ok && isSo(job) {
			return
		}
	}
	t.Error("its Job did not get there")
}

// Who may not delete pods gets an error, not a call that hangs.
func TestSidecarsWithoutThePermissionToDeletePods(t *testing.T) {
	t.Parallel()
	e, c, namespace := onReal(t, does("lines", "LINES", "2 1ms", "CODE", "3"), agent(false))
	ada := newPerson(t, c).may(namespace, without("delete pods")...)
	w := start(t, e.With(Kubeconfig(ada.kubeconfig)), newCall())
	exit := await(t, w)
	failsWith(t, exit.Err, executor.WorkerFailed, "no permission to delete pods in namespace "+namespace)
	if !strings.Contains(exit.Err.Tail, "line 1") {
		t.Errorf("its last words are %q", exit.Err.Tail)
	}
	isGoneSoon(t, c, w)
}

// A crash is tried again once, with a line. If the worker crashes in the same
// way, that is all.
func TestCrashTwiceInTheSameWay(t *testing.T) {
	t.Parallel()
	said := &syncbuf.Buffer{}
	e, c, namespace := simulated(t, ends(0, time.Hour), logTo(said))
	w := start(t, e, newCall())
	first := isRunningSoon(t, c, w, "")
	exits(t, c, namespace, first, 3)
	says(t, said, "workers failed and are started again")
	exits(t, c, namespace, isRunningSoon(t, c, w, first), 3)
	failsWith(t, await(t, w).Err, executor.WorkerFailed, "crashed twice in the same way")
	if _, ok := jobIn(t, c, w.Handle()); ok {
		t.Error("its Job is still there")
	}
	text := said.String()
	if strings.Count(text, "workers failed and are started again") != 1 || !strings.Contains(text, `retry="1 of 6"`) || !strings.Contains(text, "exit code 3") {
		t.Errorf("it said:\n%s", text)
	}
}
