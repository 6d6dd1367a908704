package k8s_test

import (
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
)

// However many Jobs wait in a queue, Kueue is asked about them in one request every
// few seconds, and one line tells of all.
func TestRequestsOfAQueue(t *testing.T) {
	t.Parallel()
	const n, every = 120, 5 * time.Second
	e, c, namespace := simulated(t, CPU("2"))
	proxy, kubeconfig := c.Behind(t)
	var asked requests
	proxy.Observe(asked.note)
	var log syncbuf.Buffer
	e = e.With(Kubeconfig(kubeconfig), Queue(c.Queue(t, namespace, "1")), Logger(slog.New(slog.NewTextHandler(&log, nil))))
	explained := make(chan int, 10*n) // the numbers of workers that know why they wait
	var workers []executor.Worker
	began := time.Now()
	for i := range n {
		inv := newCall()
		inv.Explain = func(why string) {
			if strings.Contains(why, "> maximum capacity (1)") {
				explained <- i
			}
		}
		workers = append(workers, start(t, e, inv))
	}
	knows, late := map[int]bool{}, time.After(longest)
	for len(knows) < n {
		select {
		case i := <-explained:
			knows[i] = true
		case <-late:
			t.Fatalf("%d of %d workers know why they wait; it was said:\n%s", len(knows), n, log.Take())
		}
	}
	asked.mu.Lock()
	lists, version := asked.times["GET workloads"], asked.times["GET kueue.x-k8s.io"]
	asked.mu.Unlock()
	// A request for the version that had no answer in its time is made again.
	if took := time.Since(began); lists > int(took/every)+1 || version >= lists {
		t.Errorf("%d requests for Workloads in %v, %d for the version", lists, took, version)
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
	if text := log.Take(); strings.Count(text, "a queue that does not let them go") != 1 {
		t.Errorf("told:\n%s", text)
	}
}

// Who may not see Workloads waits without an explanation, and runs when it is its
// turn.
func TestQueueUnseen(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, time.Hour))
	c.WithKueue(t)
	var told syncbuf.Buffer
	ada := newPerson(t, c).may(namespace, enough...)
	proxy, kubeconfig := c.BehindAs(t, ada.kubeconfig)
	asked := make(chan struct{}, 100)
	proxy.Observe(func(r *http.Request) {
		if path.Base(r.URL.Path) == "workloads" {
			asked <- struct{}{}
		}
	})
	e = e.With(Kubeconfig(kubeconfig), Queue("batch"), Logger(slog.New(slog.NewTextHandler(&told, nil))))
	inv, seen := newCall(), &stages{news: make(chan struct{}, 1)}
	inv.Tell = seen.tell
	inv.Explain = func(why string) { t.Errorf("explained: %q", why) }
	w := start(t, e, inv)
	seen.await(t, executor.Queued)
	select {
	case <-asked: // it is refused, and nothing is said
	case <-time.After(longest):
		t.Fatal("nobody asked for Workloads")
	}
	jobs := c.Client().BatchV1().Jobs(namespace)
	list, err := jobs.List(t.Context(), metav1.ListOptions{LabelSelector: kube.Selector})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(list, err)
	}
	admitted := []byte(`{"spec":{"suspend":false}}`)
	if _, err := jobs.Patch(t.Context(), list.Items[0].Name, types.MergePatchType, admitted, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	seen.await(t, executor.Running)
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if text := told.String(); text != "" {
		t.Errorf("told:\n%s", text)
	}
}
