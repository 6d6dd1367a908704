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
	changed := workqueue.NewTyped[string]()
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
	shown := map[string]kube.JobStatus{}
	for {
		key, over := changed.Get()
		if over {
			return context.Cause(ctx)
		}
		err := o.showChange(a, key, jobs, pods, shown)
		changed.Done(key)
		if err == nil {
			err = a.Text.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// showChange prints a Job, if it is not as it was when it was printed last.
func (o *jobsOptions) showChange(a *cli.App, key string, jobs, pods cache.SharedIndexInformer, shown map[string]kube.JobStatus) error {
	object, there, err := jobs.GetIndexer().GetByKey(key)
	if err != nil {
		return err
	}
	before, known := shown[key]
	var now kube.JobStatus
	switch {
	case there:
		found, err := pods.GetIndexer().ByIndex("job", key)
		if err != nil {
			return err
		}
		var own []*corev1.Pod
		for _, pod := range found {
			own = append(own, pod.(*corev1.Pod))
		}
		now = kube.StatusOf(object.(*batchv1.Job), own)
	case known:
		now = before
		now.State, now.Reason, now.Message = gone, "", ""
		delete(shown, key)
	default:
		return nil
	}
	if known && now.State == before.State && now.Reason == before.Reason {
		return nil
	}
	if there {
		shown[key] = now
	}
	if a.JSON {
		return a.PrintJSON(now)
	}
	row := o.row(a, now)
	fmt.Fprintf(a.Text, "%s  %-9s  %s", a.Now().Local().Format("15:04:05"), row[1], row[0])
	if row[3] != "" {
		fmt.Fprintf(a.Text, "  after %s", row[3])
	}
	fmt.Fprintf(a.Text, "  %s\n", strings.SplitN(row[4], "\n", 2)[0])
	if complaint := complaintOf(now); complaint != "" {
		fmt.Fprintf(a.Text, "          %s\n", complaint)
	}
	return nil
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
