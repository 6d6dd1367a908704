package k8s

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// What is left of a pod when its worker has ended is sidecars. They get what the
// cluster gives to sidecars of its own kind: SIGTERM at once, and SIGKILL after
// the pod's grace, which is StopGrace. So the deletion is one request, which Wait
// makes before it returns: no timer has to outlive the call, and nothing is left
// if the program ends right after it.

// clearWithin bounds how long the result of a call may wait for that request.
const clearWithin = 10 * time.Second

// clear deletes the Job of a worker that has ended, if the Job would go on.
func (w *worker) clear(ctx context.Context) {
	w.mu.Lock()
	leftover := w.leftover && w.cause == nil
	w.leftover = false
	w.mu.Unlock()
	if !leftover {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clearWithin)
	defer cancel()
	if err := w.delete(ctx, metav1.DeletePropagationForeground); err != nil {
		w.settings.log().Warn("a worker has ended, but its Job goes on: its sidecars run, and the Job could not be deleted", "worker", w.name,
			"error", err, "advice", fmt.Sprintf("kubectl delete job -n %s %s", w.watch.namespace, w.job))
	}
}

// endStranded deletes pods whose workers crashed and whose sidecars run on, so
// that their Jobs go on.
func (w *watch) endStranded(ctx context.Context, workers []*worker) {
	asked := 0
	for _, worker := range workers {
		worker.mu.Lock()
		pod := worker.stranded
		worker.mu.Unlock()
		if pod == "" {
			continue
		}
		if asked++; asked > asksPerTick || worker.endPod(ctx, pod) != nil {
			return // the next tick goes on
		}
	}
}

// endPod deletes a pod. The Job of a worker whose pods may not be deleted is
// abandoned. The error is of a request that may succeed later.
func (w *worker) endPod(ctx context.Context, pod string) error {
	c, namespace := w.watch.cluster, w.watch.namespace
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := c.client.CoreV1().Pods(namespace).Delete(ctx, pod, metav1.DeleteOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case isDenied(err):
		w.mu.Lock()
		defer w.mu.Unlock()
		w.abandon(&executor.Error{
			Reason: executor.WorkerFailed, Err: c.explain(err, "delete", "pods", namespace),
			Message: fmt.Sprintf("the %s crashed; it cannot be started again while sidecars run in its pod %s, which may not be deleted, so its Job was deleted", w.name, pod),
		}, pod)
		return nil
	}
	return err
}

// abandon makes Wait delete the Job for this cause, once it has the last lines of
// the pod. The caller holds w.mu.
func (w *worker) abandon(cause *executor.Error, pod string) {
	if w.left || w.cause != nil {
		return
	}
	w.cause, w.pod = cause, pod
	close(w.stuck)
}

// quote adds the last lines of the worker to why it is given up, while its pod is
// there.
func (w *worker) quote() {
	w.quoting.Do(func() {
		w.mu.Lock()
		cause := w.cause
		w.mu.Unlock()
		cause.Tail = w.lastLines(cause.Tail)
	})
}
