package k8s_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
)

// However many Jobs wait in a queue, Kueue is asked about them in one request every
// few seconds, and one line tells of all.
func TestRequestsOfAQueue(t *testing.T) {
	const n, seconds = 120, 20
	e, c, namespace := simulated(t, CPU("2"))
	proxy, kubeconfig := c.Behind(t)
	var asked requests
	proxy.Observe(asked.note)
	var log syncbuf.Buffer
	e = e.With(Kubeconfig(kubeconfig), Queue(c.Queue(t, namespace, "1")), Logger(slog.New(slog.NewTextHandler(&log, nil))))
	var mu sync.Mutex
	explained := ""
	var workers []executor.Worker
	began := time.Now()
	for range n {
		inv := newCall()
		inv.Explain = func(why string) {
			mu.Lock()
			defer mu.Unlock()
			explained = why
		}
		workers = append(workers, start(t, e, inv))
	}
	time.Sleep(seconds * time.Second) // requests are counted
	asked.mu.Lock()
	lists, version := asked.times["GET workloads"], asked.times["GET kueue.x-k8s.io"]
	asked.mu.Unlock()
	if took := time.Since(began); lists < 2 || lists > int(took.Seconds())/5+1 || version != 1 {
		t.Errorf("%d requests for Workloads in %v, %d for the version", lists, took, version)
	}
	mu.Lock()
	if !strings.Contains(explained, "> maximum capacity (1)") {
		t.Errorf("explained by %q", explained)
	}
	mu.Unlock()
	if text := log.Take(); strings.Count(text, "a queue that does not let them go") != 1 {
		t.Errorf("told:\n%s", text)
	}
	var stopping sync.WaitGroup
	for _, w := range workers {
		stopping.Go(func() {
			if err := w.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	stopping.Wait()
}

// Who may not see Workloads waits without an explanation, and runs when it is its
// turn.
func TestQueueUnseen(t *testing.T) {
	e, c, namespace := simulated(t, ends(0, time.Hour))
	c.WithKueue(t)
	var told bytes.Buffer
	ada := newPerson(t, c).may(namespace, enough...)
	e = e.With(Kubeconfig(ada.kubeconfig), Queue("batch"), Logger(slog.New(slog.NewTextHandler(&told, nil))))
	inv, seen := newCall(), &stages{news: make(chan struct{}, 1)}
	inv.Tell = seen.tell
	inv.Explain = func(why string) { t.Errorf("explained: %q", why) }
	w := start(t, e, inv)
	seen.await(t, executor.Queued)
	time.Sleep(5 * time.Second) // nothing is said
	jobs := c.Client().BatchV1().Jobs(namespace)
	list, err := jobs.List(t.Context(), metav1.ListOptions{LabelSelector: kube.Selector})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(list, err)
	}
	list.Items[0].Spec.Suspend = new(false)
	if _, err := jobs.Update(t.Context(), &list.Items[0], metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	seen.await(t, executor.Running)
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if told.Len() > 0 {
		t.Errorf("told:\n%s", &told)
	}
}
