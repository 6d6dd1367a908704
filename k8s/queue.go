package k8s

import (
	"cmp"
	"context"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Jobs in a queue of Kueue's.
//
// Why a Job waits stands in its Workload, which is not watched: ten thousand of them in
// a queue change whenever one Job comes or goes. The tick asks for some, those first
// that it has not heard of for the longest time, all in one request. For the others
// mostly the same holds. Who may not see Workloads waits without an explanation.

const (
	turnsEvery       = 5 * time.Second  // for all workers of a namespace together
	turnsAtOnce      = 50               // workers in one request
	turnsAgainIn     = time.Minute      // after a refusal
	tellTurnsAgainIn = 10 * time.Minute // waiting is what a queue is for
	queuedFor        = 2 * time.Second  // before it is worth asking
	unseenFor        = 15 * time.Second // before it is odd that there is no Workload
)

// queue is what is known of a worker whose Job waits in a queue. It is guarded by the
// worker's mutex.
type queue struct {
	since time.Time // when the Job was first seen to wait; zero while it does not
	asked time.Time
	turn  kube.Turn
	took  map[string]bool // pods of turns that were taken back
	said  string          // what people were told
}

// consider notes whether the Job waits, and which pods that costs.
func (q *queue) consider(job *batchv1.Job, pods map[string]*corev1.Pod, now time.Time) {
	if job == nil || !kube.IsSuspended(job) {
		q.since, q.asked, q.turn = time.Time{}, time.Time{}, kube.Turn{}
		return
	}
	for name := range pods {
		set(&q.took, name, true)
	}
	if q.since.IsZero() && kube.WaitsInQueue(job) {
		q.since = now
	}
}

// queued tells people why a worker is queued.
func (w *worker) queued(by *kube.Obstacle) {
	why := ""
	if by != nil && w.stage == executor.Queued {
		why = by.Message
	}
	if w.queue.said != why {
		w.queue.said = why
		w.explain(why)
	}
}

// turns is when Kueue is asked.
type turns struct{ next time.Time }

// waiting is a worker to ask about.
type waiting struct {
	*worker
	job          types.UID
	since, asked time.Time
}

// askTurns asks Kueue about workers that wait in a queue, at most once in a while.
func (w *watch) askTurns(ctx context.Context, now time.Time, workers []*worker) {
	if now.Before(w.turns.next) {
		return
	}
	var all []waiting
	for _, worker := range workers {
		worker.mu.Lock()
		if q := worker.queue; !worker.left && worker.uid != "" && !q.since.IsZero() && now.Sub(q.since) >= queuedFor {
			all = append(all, waiting{worker, worker.uid, q.since, q.asked})
		}
		worker.mu.Unlock()
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b waiting) int { return cmp.Or(a.asked.Compare(b.asked), a.since.Compare(b.since)) })
	all = all[:min(len(all), turnsAtOnce)]
	var jobs []types.UID
	for _, worker := range all {
		jobs = append(jobs, worker.job)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := w.cluster.kueue.Turns(ctx, w.namespace, jobs...)
	w.turns.next = now.Add(turnsEvery)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		w.turns.next = now.Add(turnsAgainIn)
	}
	for _, worker := range all {
		turn, ok := found[worker.job]
		if !ok && now.Sub(worker.since) >= unseenFor || apierrors.IsNotFound(err) {
			turn = kube.NoTurnOf(err)
		}
		worker.hears(turn, now)
	}
}

// hears notes what Kueue says of the worker.
func (w *worker) hears(turn kube.Turn, now time.Time) {
	w.mu.Lock()
	w.queue.asked = now
	if !w.queue.since.IsZero() { // it still waits
		w.queue.turn = turn
	}
	w.mu.Unlock()
	w.look(now)
}

// tellTurns logs why workers wait in a queue, in one line for all, and not often.
func (w *watch) tellTurns(about line, workers []*worker) {
	may := w.mayTell(about)
	for _, worker := range workers[1:] {
		worker.warned()
	}
	first := workers[0]
	switch by := first.warned(); {
	case !may:
	case about.kind == kube.NeverATurn:
		about.to.Warn("workers wait in a queue that does not let them go", "workers", len(workers), "first", first.name, "message", by.Message, "advice", by.Advice)
	default:
		about.to.Warn("workers wait for their turn in a queue", "workers", len(workers), "first", first.name, "message", by.Message)
	}
}
