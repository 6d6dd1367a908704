package k8s_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// silences makes the pod of a Job that runs look as those of a node do that the
// cluster does not hear from, and returns its name.
func silences(t *testing.T, c *testcluster.Cluster, handle string) string {
	t.Helper()
	namespace, job, _ := strings.Cut(handle, "/")
	pods := c.Client().CoreV1().Pods(namespace)
	selector := metav1.ListOptions{LabelSelector: "job-name=" + job}
	events, err := pods.Watch(t.Context(), selector)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok || pod.Status.Phase != corev1.PodRunning {
			continue
		}
		patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pods.Patch(t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
			t.Fatal(err)
		}
		return pod.Name
	}
	t.Fatal("no pod runs")
	return ""
}

func TestSilentWorkerIsGivenUp(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t)
	proxy, kubeconfig := c.Behind(t)
	isOfPod := func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/pods/")
	}
	proxy.Strike(-1, faultproxy.Delay(6*time.Second), isOfPod) // the cluster tells first that Job and pod are gone
	e = e.With(Kubeconfig(kubeconfig))
	said := &syncbuf.Buffer{}
	inv := newCall()
	var lives atomic.Bool
	asked := make(chan struct{}, 100)
	inv.Lives = func(context.Context) (bool, error) {
		asked <- struct{}{}
		return lives.Load(), nil
	}
	lives.Store(true)
	w := start(t, e.With(ends(0, time.Hour), SilenceGrace(time.Second), logTo(said)), inv)
	go func() { // the worker lives for three questions, and then does not
		for range 3 {
			<-asked
		}
		lives.Store(false)
	}()
	silences(t, c, w.Handle())
	exit := await(t, w)
	failsWith(t, exit.Err, executor.NodeLost, "its node "+c.NodeName()+" is not ready, and it gave no sign of life")
	if n := strings.Count(said.String(), "the node of a worker does not answer; the worker is left alone"); n != 1 {
		t.Errorf("%d lines:\n%s", n, said)
	}
	if _, ok := jobIn(t, c, w.Handle()); ok {
		t.Error("its Job is still there")
	}
	noPods(t, c, namespace)
	if !e.MayRetry([]executor.Reason{executor.NodeLost}) {
		t.Error("the call does not go on elsewhere")
	}
}
