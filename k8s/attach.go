package k8s

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Attach finds a Job by its handle, "namespace/job". The Job must be of the
// same call and lease; else, and if it has ended, the error is
// executor.ErrGone.
func (e *Executor) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e = e.loggingTo(inv.Logger)
	gone := func(why string) error {
		return fmt.Errorf("attach to the worker of %s, Job %.100s: %w: %s", inv.Function, handle, executor.ErrGone, why)
	}
	namespace, name, ok := splitHandle(handle)
	if !ok {
		return nil, gone("that is no handle of a Job")
	}
	c, err := e.settings.connect()
	if err != nil {
		return nil, fmt.Errorf("attach to the worker of %s, Job %s: %w", inv.Function, handle, err)
	}
	job, err := c.get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, gone("there is no such Job")
	case err != nil:
		return nil, fmt.Errorf("attach to the worker of %s, Job %s: %w", inv.Function, handle, c.explain(err, "get", "jobs.batch", namespace))
	case !isOurs(job.Annotations, inv):
		return nil, gone("that Job works on another call, or under another lease")
	case kube.Condition(job, batchv1.JobComplete) != nil || kube.Condition(job, batchv1.JobFailed) != nil:
		return nil, gone("it has ended")
	}
	watch := c.watch(namespace, e.settings.log())
	if err := watch.ready(ctx); err != nil {
		watch.leave()
		return nil, fmt.Errorf("attach to the worker of %s, Job %s: %w", inv.Function, handle, err)
	}
	inv.Workers = kube.Annotated(job.Annotations).Workers
	w := newWorker(watch, &e.settings, name, inv)
	w.exists(job)
	if w.ended() {
		w.output.cancel()
		w.clear(ctx)
		return nil, gone("it has ended")
	}
	return w, nil
}
