package kube

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// follow prints Jobs as they change, until the context ends.
func (o *jobsOptions) follow(ctx context.Context, a *cli.App, c *Cluster) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	factory := informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithNamespace(c.Namespace),
		informers.WithTweakListOptions(func(l *metav1.ListOptions) { l.LabelSelector = kube.Selector }))
	jobs, pods := factory.Batch().V1().Jobs().Informer(), factory.Core().V1().Pods().Informer()
	if err := pods.AddIndexers(cache.Indexers{"job": func(object any) ([]string, error) { return []string{jobOf(object.(*corev1.Pod))}, nil }}); err != nil {
		return err
	}
	changed := workqueue.NewTypedDelayingQueue[string]()
	context.AfterFunc(ctx, changed.ShutDown)
	for _, informer := range []cache.SharedIndexInformer{jobs, pods} {
		note := func(object any) { changed.Add(keyOf(object)) }
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: note, UpdateFunc: func(_, object any) { note(object) }, DeleteFunc: note}); err != nil {
			return err
		}
		err := informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
			// What may pass is tried again; before anything was seen, it is worth a word.
			if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || !jobs.HasSynced() {
				stop(c.explain(err, ""))
			}
		})
		if err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer stop(nil)
	if !cache.WaitForCacheSync(ctx.Done(), jobs.HasSynced, pods.HasSynced) {
		return context.Cause(ctx)
	}
	f := following{jobsOptions: o, jobs: jobs, pods: pods, events: complaints{cluster: c}, shown: map[string]kube.JobStatus{}}
	for {
		key, over := changed.Get()
		if over {
			return context.Cause(ctx)
		}
		again, err := f.showChange(ctx, a, key)
		if again {
			changed.AddAfter(key, askAgain) // no event of the Job's or a pod's tells of a quota, or a queue
		}
		changed.Done(key)
		if err == nil {
			err = a.Text.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// following is what follow knows.
type following struct {
	*jobsOptions
	jobs, pods cache.SharedIndexInformer
	events     complaints
	shown      map[string]kube.JobStatus // as it was last looked at, by "namespace/name"
}

// showChange prints a Job, if it is chosen and not as it was before. Again says that
// it may change without an event.
func (f *following) showChange(ctx context.Context, a *cli.App, key string) (again bool, err error) {
	object, there, err := f.jobs.GetIndexer().GetByKey(key)
	if err != nil {
		return false, err
	}
	before, known := f.shown[key]
	var now kube.JobStatus
	switch {
	case there:
		found, err := f.pods.GetIndexer().ByIndex("job", key)
		if err != nil {
			return false, err
		}
		var own []*corev1.Pod
		for _, pod := range found {
			own = append(own, pod.(*corev1.Pod))
		}
		job := object.(*batchv1.Job)
		again = kube.LacksPod(job, own) || kube.WaitsInQueue(job)
		said, turn := "", kube.Turn{}
		if known { // a new one gets its pod at once, if it gets one
			if said, turn, err = f.events.of(ctx, job, own); err != nil {
				return false, f.events.cluster.explain(err, "")
			}
		}
		now = kube.StatusOf(job, own, said, turn)
	case known:
		now = before
		now.State, now.Reason, now.Message = gone, "", ""
		delete(f.shown, key)
	default:
		return false, nil
	}
	explained := now.State == kube.Queued && now.Message != "" && before.Message == ""
	if known && now.State == before.State && now.Reason == before.Reason && !explained {
		return again, nil
	}
	if there {
		f.shown[key] = now
	}
	if !f.has(now) && !(now.State == gone && f.has(before)) {
		return again, nil
	}
	if a.JSON {
		return again, a.PrintJSON(now)
	}
	f.print(a, now)
	return again, nil
}

func (f *following) print(a *cli.App, now kube.JobStatus) {
	row := f.row(a, now)
	fmt.Fprintf(a.Text, "%s  %-9s  %s", a.Now().Local().Format("15:04:05"), row[1], row[0])
	if row[3] != "" {
		fmt.Fprintf(a.Text, "  after %s", row[3])
	}
	fmt.Fprintf(a.Text, "  %s\n", strings.SplitN(row[4], "\n", 2)[0])
	if complaint := complaintOf(now); complaint != "" {
		fmt.Fprintf(a.Text, "          %s\n", complaint)
	}
}

// gone is the state of a Job that was deleted.
const gone kube.State = "gone"

// keyOf is "namespace/name" of the Job that an object is, or belongs to.
func keyOf(object any) string {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	switch o := object.(type) {
	case *batchv1.Job:
		return o.Namespace + "/" + o.Name
	case *corev1.Pod:
		return jobOf(o)
	}
	return ""
}
