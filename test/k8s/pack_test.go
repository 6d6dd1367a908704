package k8s_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// newPack is a list of calls for several workers, that there was not before.
func newPack(workers int) executor.Invocation {
	inv := newCall()
	inv.MemoURI, inv.Workers = "s3://results/mops1-scratch/packs/"+inv.LeaseID, workers
	return inv
}

const indexLabel = batchv1.JobCompletionIndexAnnotation

// podOf waits until the pod of one of a pack's workers runs, another than a former one,
// and returns its name.
func podOf(t *testing.T, c *testcluster.Cluster, w executor.Worker, worker int, former string) string {
	t.Helper()
	namespace, job, _ := strings.Cut(w.Handle(), "/")
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	events, err := c.Client().CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: fmt.Sprintf("job-name=%s,%s=%d", job, indexLabel, worker)})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && runs(pod) && pod.Name != former {
			return pod.Name
		}
	}
	t.Fatalf("no pod of worker %d runs", worker)
	return ""
}

// exits ends the program of a simulated pod.
func exits(t *testing.T, c *testcluster.Cluster, namespace, pod string, code int) {
	t.Helper()
	phase, reason := corev1.PodSucceeded, "Completed"
	if code != 0 {
		phase, reason = corev1.PodFailed, "Error"
	}
	patch := fmt.Sprintf(`{"status":{"phase":%q,"containerStatuses":[{"name":"worker","state":{"running":null,"terminated":{"exitCode":%d,"reason":%q}}}]}}`, phase, code, reason)
	if _, err := c.Client().CoreV1().Pods(namespace).Patch(t.Context(), pod, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
}

// runsOn checks that a worker has not ended after a while.
func runsOn(t *testing.T, w executor.Worker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if exit, err := w.Wait(ctx); err == nil {
		t.Fatalf("it ended: %d, %v", exit.Code, exit.Err)
	}
}

// A pack is one Job, which has ended when all of its workers have.
func TestPackEnds(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, time.Hour), Pack(time.Minute))
	inv := newPack(3)
	w := start(t, e, inv)
	if w.Handle() != e.HandleOf(inv) {
		t.Errorf("the handle was to be %s, is %s", e.HandleOf(inv), w.Handle())
	}
	var pods [3]string
	for i := range pods {
		pods[i] = podOf(t, c, w, i, "")
	}
	again, err := e.Attach(t.Context(), inv, w.Handle())
	if err != nil {
		t.Fatal(err)
	}
	exits(t, c, namespace, pods[0], 0)
	exits(t, c, namespace, pods[2], 0)
	runsOn(t, w)
	exits(t, c, namespace, pods[1], 0)
	for _, w := range []executor.Worker{w, again} {
		if exit := await(t, w); exit.Code != 0 || exit.Err != nil {
			t.Errorf("%d, %v", exit.Code, exit.Err)
		}
	}
	awaitJob(t, c, w, func(job *batchv1.Job) bool { return is(job, batchv1.JobComplete) && job.Status.Succeeded == 3 })
}

// A worker that dies is replaced, whatever its exit code says of a single call; another
// program than the caller's ends the pack.
func TestPackGoesOn(t *testing.T) {
	t.Parallel()
	said := &syncbuf.Buffer{}
	e, c, namespace := simulated(t, ends(0, time.Hour), logTo(said))
	w := start(t, e, newPack(2))
	first, other := podOf(t, c, w, 0, ""), podOf(t, c, w, 1, "")
	exits(t, c, namespace, first, 137)
	second := podOf(t, c, w, 0, first)
	evict := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: other}}
	if err := c.Client().CoreV1().Pods(namespace).EvictV1(t.Context(), evict); err != nil {
		t.Fatal(err)
	}
	podOf(t, c, w, 1, other)
	for _, told := range []string{`retry="1 of 6"`, `disruption="1 of 20"`} {
		says(t, said, told)
	}
	runsOn(t, w)
	exits(t, c, namespace, second, executor.ExitUnfit)
	exit := await(t, w)
	failsWith(t, exit.Err, executor.WorkerFailed, "pod "+second+" of the pack of weather/Forecast@3")
	if exit.Code != executor.ExitUnfit || !strings.Contains(exit.Err.Message, "exit code 48") {
		t.Errorf("code %d, %v", exit.Code, exit.Err)
	}
	text := said.String()
	for _, want := range []string{`retry="1 of 6"`, `disruption="1 of 20"`} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%s is not in it once:\n%s", want, text)
		}
	}
}

// A place whose pods died too often stays empty, with a line, and the others finish.
func TestPackLosesAPlace(t *testing.T) {
	t.Parallel()
	said := &syncbuf.Buffer{}
	e, c, namespace := simulated(t, ends(0, time.Hour), Retries(0), logTo(said))
	w := start(t, e, newPack(2))
	lost, other := podOf(t, c, w, 0, ""), podOf(t, c, w, 1, "")
	exits(t, c, namespace, lost, 3)
	says(t, said, "are not started again")
	runsOn(t, w)
	if text := said.String(); strings.Count(text, "are not started again") != 1 || strings.Contains(text, "are started again") {
		t.Errorf("it said:\n%s", text)
	}
	exits(t, c, namespace, other, 0)
	failsWith(t, await(t, w).Err, executor.WorkerFailed, "pod "+lost+" of the pack of weather/Forecast@3")
}

// Where a cluster has room for few of the pods, these do the work, and what still waits
// when they have ended goes with its Job.
func TestPackWithoutRoomForAll(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, time.Hour), CPU("1"), RoomGrace(2*time.Second))
	limit(t, c, namespace, "small", corev1.ResourceRequestsCPU, "1")
	w := start(t, e, newPack(3))
	pod := isRunningSoon(t, c, w, "") // any of them
	runsOn(t, w)
	exits(t, c, namespace, pod, 0)
	if exit := await(t, w); exit.Code != 0 || exit.Err != nil {
		t.Errorf("%d, %v", exit.Code, exit.Err)
	}
	isGoneSoon(t, c, w)
}

// A pack of which no pod can start fails as a single call does, and its Job goes.
func TestPackNeverStarts(t *testing.T) {
	t.Parallel()
	e, c, _ := simulated(t, NodeSelector("planet", "mars"), RoomGrace(2*time.Second))
	w := start(t, e, newPack(3))
	failsWith(t, await(t, w).Err, executor.Unschedulable, "the pack of weather/Forecast@3")
	isGoneSoon(t, c, w)
}

// A program that dies at its start each time is not started for ever.
func TestPackStillborn(t *testing.T) {
	t.Parallel()
	e, c, _ := simulated(t, ends(3, 0))
	w := start(t, e, newPack(3))
	failsWith(t, await(t, w).Err, executor.WorkerFailed, "crashed twice in the same way")
	isGoneSoon(t, c, w)
}

// While one worker is heard of, a silent one is left alone. If nobody hears of it when
// the others have ended, the pack is given up.
func TestPackOnASilentNode(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, time.Hour), SilenceGrace(time.Second))
	inv := newPack(2)
	inv.Lives = func(context.Context) (bool, error) { return false, nil }
	w := start(t, e, inv)
	pods := map[string]bool{podOf(t, c, w, 0, ""): true, podOf(t, c, w, 1, ""): true}
	delete(pods, silences(t, c, w.Handle()))
	runsOn(t, w)
	for other := range pods {
		exits(t, c, namespace, other, 0)
	}
	_, name, _ := strings.Cut(w.Handle(), "/")
	selector := metav1.ListOptions{LabelSelector: "job-name=" + name}
	events, err := c.Client().CoreV1().Pods(namespace).Watch(t.Context(), selector)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	failsWith(t, await(t, w).Err, executor.NodeLost, "its node "+c.NodeName()+" is not ready")
	if _, ok := jobIn(t, c, w.Handle()); ok {
		t.Error("its Job is there")
	}
	for { // the Job did not wait for its pods
		left, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), selector)
		if err != nil {
			t.Fatal(err)
		}
		if len(left.Items) == 0 {
			return
		}
		for event := range events.ResultChan() {
			if event.Type == watch.Deleted {
				break
			}
		}
	}
}

// Stop ends all pods.
func TestPackIsStopped(t *testing.T) {
	t.Parallel()
	e, c, _ := simulated(t, ends(0, time.Hour))
	w := start(t, e, newPack(3))
	podOf(t, c, w, 2, "")
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := jobIn(t, c, w.Handle()); ok {
		t.Error("Stop returned, the Job is there")
	}
	if exit := await(t, w); exit.Code != -1 {
		t.Errorf("%d, %v", exit.Code, exit.Err)
	}
}

// On real nodes each worker knows its index, and the pod that follows one that was
// deleted has that one's.
func TestPackOnNodes(t *testing.T) {
	t.Parallel()
	e, c, namespace := onReal(t, does("index", "LINES", "10 1s"), CPU("10m"), Memory("32Mi"))
	inv := newPack(2)
	var printed syncbuf.Buffer
	inv.Log = func(chunk []byte) { printed.Write(chunk) }
	w := start(t, e, inv)
	pod := podOf(t, c, w, 0, "")
	if err := c.Client().CoreV1().Pods(namespace).Delete(t.Context(), pod, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if exit := await(t, w); exit.Code != 0 || exit.Err != nil {
		t.Errorf("%d, %v", exit.Code, exit.Err)
	}
	text := printed.String()
	if strings.Count(text, "index 0\n") < 1 || strings.Count(text, "index 1\n") != 1 {
		t.Errorf("they printed:\n%s", text)
	}
	awaitJob(t, c, w, func(job *batchv1.Job) bool {
		return is(job, batchv1.JobComplete) && job.Status.Succeeded == 2 && job.Status.Failed == 1
	})
}
