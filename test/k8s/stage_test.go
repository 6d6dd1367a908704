package k8s_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/executor"
	. "github.com/TrilliantHealth/mops-go/k8s"
)

// stages are those that a worker was in, in turn.
type stages struct {
	mu   sync.Mutex
	all  []executor.Stage
	news chan struct{}
}

func (s *stages) tell(stage executor.Stage) {
	s.mu.Lock()
	s.all = append(s.all, stage)
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// await returns when the worker is in a stage.
func (s *stages) await(t *testing.T, want executor.Stage) {
	t.Helper()
	late := time.After(longest)
	for {
		s.mu.Lock()
		is := slices.Clone(s.all)
		s.mu.Unlock()
		if len(is) > 0 && is[len(is)-1] == want {
			return
		}
		select {
		case <-s.news:
		case <-late:
			t.Fatalf("the worker is not %s; it was %q", want, is)
		}
	}
}

// A Job in a queue waits for its turn, runs, and waits again when the queue takes
// its turn back, as Kueue does.
func TestStagesOfAQueue(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, Queue("batch"), ends(0, time.Hour))
	inv, seen := newCall(), &stages{news: make(chan struct{}, 1)}
	inv.Tell = seen.tell
	w := start(t, e, inv)
	_, name, _ := strings.Cut(w.Handle(), "/")
	suspend := func(patch string) {
		t.Helper()
		_, err := c.Client().BatchV1().Jobs(namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen.await(t, executor.Queued)
	suspend(`{"spec":{"suspend":false}}`)
	seen.await(t, executor.Running)
	suspend(`{"spec":{"suspend":true}}`)
	seen.await(t, executor.Queued)
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A pod that fits nowhere is pending.
func TestStageOfAPodWithoutANode(t *testing.T) {
	t.Parallel()
	e, _, _ := simulated(t, NodeSelector("planet", "mars"))
	inv, seen := newCall(), &stages{news: make(chan struct{}, 1)}
	inv.Tell = seen.tell
	w := start(t, e, inv)
	seen.await(t, executor.Pending)
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if slices.Contains(seen.all, executor.Running) {
		t.Errorf("%q", seen.all)
	}
}

// Where a worker is, and what it asked for, is told before it is told to run.
func TestPlaceIsTold(t *testing.T) {
	e, _, _ := simulated(t, CPU("500m"), Memory("64Mi"), ends(0, time.Hour))
	inv, seen := newCall(), &stages{news: make(chan struct{}, 1)}
	var mu sync.Mutex
	var last, atRunning executor.Place
	inv.Placed = func(p executor.Place) {
		mu.Lock()
		defer mu.Unlock()
		last = p
	}
	inv.Tell = func(stage executor.Stage) {
		mu.Lock()
		defer mu.Unlock()
		if stage == executor.Running {
			atRunning = last
		}
		seen.tell(stage)
	}
	w := start(t, e, inv)
	seen.await(t, executor.Running)
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if p := atRunning; p.Node == "" || !strings.HasPrefix(p.Host, "mops-") || p.Requests.CPU != 0.5 || p.Requests.Memory != 64<<20 || p.Limits.Memory != 64<<20 {
		t.Errorf("%+v", p)
	}
}
