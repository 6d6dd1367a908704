package k8s

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Start creates a Job for the invocation, and the namespace if it is absent. It
// waits for the cluster to accept the Job, not for its pod.
func (e *Executor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, launchFailed(inv.Function+" was cancelled before it started", err)
	}
	e = e.loggingTo(inv.Logger)
	p, err := e.plan(ctx, inv)
	if err != nil {
		return nil, err
	}
	w, err := e.start(ctx, inv, p)
	if err != nil {
		return nil, rejected(inv.Function, err)
	}
	return w, nil
}

// rejected is the error for a Job that the cluster did not accept.
func rejected(what string, err error) *executor.Error {
	reason := executor.LaunchFailed
	if isStatus(err) {
		reason = executor.LaunchRejected
	}
	return &executor.Error{Reason: reason, Message: what + " could not be started", Err: err}
}

func (e *Executor) start(ctx context.Context, inv executor.Invocation, p *plan) (*worker, error) {
	c, err := e.settings.connect()
	if err != nil {
		return nil, err
	}
	watch := c.watch(p.task.namespace, e.settings.log())
	if err := watch.ready(ctx); err != nil {
		watch.leave()
		return nil, c.perhapsAbsent(ctx, err, p.task.namespace)
	}
	w := newWorker(watch, &e.settings, p.task.name, inv)
	job, err := w.createInRoom(ctx, p)
	if err != nil {
		w.Release()
		if !isStatus(err) { // the cluster may have created it all the same
			w.delete(ctx, metav1.DeletePropagationForeground)
		}
		return nil, err
	}
	w.exists(job)
	return w, nil
}

// exists notes that the cluster has the worker's Job.
func (w *worker) exists(job *batchv1.Job) {
	w.mu.Lock()
	w.uid, w.started = job.UID, time.Now()
	w.mu.Unlock()
	w.look(time.Now())
}

// create creates a Job. If a Job of its name and lease exists already, it is
// this one: the answer to an earlier request was lost.
func (c *cluster) create(ctx context.Context, job *batchv1.Job, mayCreateNamespace bool) (created *batchv1.Job, err error) {
	jobs := c.client.BatchV1().Jobs(job.Namespace)
	request := func(ctx context.Context) error {
		created, err = jobs.Create(ctx, job, metav1.CreateOptions{})
		return err
	}
	err = c.write(ctx, request)
	if isNamespaceMissing(err, job.Namespace) && mayCreateNamespace {
		if err := c.createNamespace(ctx, job.Namespace); err != nil {
			return nil, err
		}
		err = c.write(ctx, request)
	}
	switch {
	case err == nil:
		return created, nil
	case apierrors.IsAlreadyExists(err):
		there, getErr := c.get(ctx, job.Namespace, job.Name)
		switch {
		case getErr != nil:
			return nil, errors.Join(err, getErr)
		case !sameTask(there.Annotations, job.Annotations):
			return nil, fmt.Errorf("another Job has the name %s/%s already; delete it, or see k8s.NamePrefix: %w", job.Namespace, job.Name, err)
		}
		return there, nil
	case isNamespaceMissing(err, job.Namespace):
		return nil, fmt.Errorf("there is no namespace %s; create it, or name another with k8s.Namespace: %w", job.Namespace, err)
	}
	return nil, c.explain(err, "create", "jobs.batch", job.Namespace)
}

func (c *cluster) get(ctx context.Context, namespace, name string) (job *batchv1.Job, err error) {
	err = c.try(ctx, func(ctx context.Context) error {
		job, err = c.client.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
		return err
	})
	return job, err
}

// sameTask reports whether two Jobs run the same attempt.
func sameTask(a, b map[string]string) bool {
	one, other := kube.Annotated(a), kube.Annotated(b)
	return one.MemoURI == other.MemoURI && one.ID == other.ID
}

func isNamespaceMissing(err error, namespace string) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsNotFound(err) && status.ErrStatus.Details != nil &&
		status.ErrStatus.Details.Kind == "namespaces" && status.ErrStatus.Details.Name == namespace
}

// perhapsAbsent adds to a refusal that its namespace is absent, as far as the
// user may know: to a user with rights in single namespaces, the cluster only
// says: forbidden.
func (c *cluster) perhapsAbsent(ctx context.Context, err error, namespace string) error {
	if !isDenied(err) {
		return err
	}
	getErr := c.try(ctx, func(ctx context.Context) error {
		_, err := c.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(getErr):
		return fmt.Errorf("there is no namespace %s; have somebody create it and give you a role there, or name another with k8s.Namespace: %w", namespace, err)
	case getErr != nil:
		return fmt.Errorf("%w; perhaps there is no namespace %s, which you may not see: k8s.Namespace names another", err, namespace)
	}
	return err
}

// createNamespace creates a namespace. If somebody else just did, that is fine.
func (c *cluster) createNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{kube.ManagedByLabel: kube.ManagedBy}}}
	err := c.write(ctx, func(ctx context.Context) error {
		_, err := c.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
		return err
	})
	switch {
	case err == nil || apierrors.IsAlreadyExists(err):
		return nil
	case isDenied(err):
		return fmt.Errorf("the namespace %s is absent, and there is no permission to create it (create namespaces, of the whole cluster); "+
			"have somebody run `kubectl create namespace %s`, or name one that is there with k8s.Namespace: %w", name, name, err)
	}
	return c.explain(err, "create", "namespaces", name)
}

// createInRoom creates a Job, and waits while the namespace's quota has no room
// for another one, as a pod would.
func (w *worker) createInRoom(ctx context.Context, p *plan) (*batchv1.Job, error) {
	begun := time.Now()
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		job, err := w.watch.cluster.create(ctx, p.job, w.settings.createNamespace)
		grace := w.settings.roomGrace
		if !isOverQuota(err) {
			return job, err
		}
		by := crowded(kube.OverQuota(err.Error()), p.task.namespace)
		if grace >= 0 && time.Since(later(begun, w.watch.busySince())) > grace {
			return nil, fmt.Errorf("%w; %s", err, by.Advice)
		}
		w.mu.Lock()
		w.goes(executor.Queued)
		w.mu.Unlock()
		if about := (line{w.settings.log(), executor.LaunchRejected, kube.NoRoom}); w.watch.mayTell(about) {
			about.to.Warn("Jobs cannot be created yet", "first", w.name, "error", err, "advice", by.Advice, "given_up_after", grace)
		}
		if !sleep.For(ctx, pause) {
			return nil, ctx.Err()
		}
	}
}

func isOverQuota(err error) bool {
	return apierrors.IsForbidden(err) && kube.IsQuota(err.Error())
}

// mayTell reports whether it is time for a line about something, and notes that
// the line is being logged.
func (w *watch) mayTell(about line) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	again := tellAgainIn
	if about.kind == kube.NoTurn || about.kind == kube.NeverATurn {
		again = tellTurnsAgainIn
	}
	if time.Since(w.told[about]) < again {
		return false
	}
	set(&w.told, about, time.Now())
	return true
}
