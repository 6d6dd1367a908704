package k8s

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// jobNameLabel is the label by which the Job controller marks pods. There is a
// newer one, too, but all versions of Kubernetes set this.
const jobNameLabel = "job-name"

// byJob is the index of pods by their Job's name.
const byJob = "job"

// linger is how long an unused watch goes on: listing everything again for each
// of several calls, one after the other, would cost more.
const linger = 3 * time.Second

// watch sees the Jobs of mops in a namespace, and their pods, for all workers
// of this process there. It has the same few goroutines for any number of Jobs.
type watch struct {
	cluster   *cluster
	namespace string
	log       *slog.Logger
	jobs      objects
	pods      objects
	health    health
	cancel    context.CancelFunc
	working   sync.WaitGroup

	users int // guarded by cluster.mu
	timer *time.Timer

	mu      sync.Mutex
	workers map[string][]*worker // by Job
	running int                  // how many of them run
	busy    time.Time            // when the last of them ran no more
	moved   time.Time            // when a worker got a pod, started or ended last
	asked   time.Time            // when the last request for events was made
	told    map[line]time.Time   // when an obstacle was logged last
	idle    idle                 // is used by the tick alone
	turns   turns                // likewise
}

// watch returns the watch of a namespace, which runs until it is left as often.
func (c *cluster) watch(namespace string, log *slog.Logger) *watch {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.watches[namespace]
	if !ok {
		w = newWatch(c, namespace, log)
		set(&c.watches, namespace, w)
	}
	w.users++
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	return w
}

// leave gives the watch back.
func (w *watch) leave() {
	c := w.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.users--; w.users == 0 {
		w.timer = time.AfterFunc(linger, w.endUnused)
	}
}

// endUnused ends the watch, unless a new user has come meanwhile.
func (w *watch) endUnused() {
	c := w.cluster
	c.mu.Lock()
	if w.users > 0 || c.watches[w.namespace] != w {
		c.mu.Unlock()
		return
	}
	delete(c.watches, w.namespace)
	last := len(c.watches) == 0
	c.mu.Unlock()
	w.cancel()
	w.working.Wait()
	if last {
		c.idle()
	}
}

func newWatch(c *cluster, namespace string, log *slog.Logger) *watch {
	// client-go would print each hitch; health decides what to log.
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
	w := &watch{cluster: c, namespace: namespace, log: log, cancel: cancel, workers: map[string][]*worker{}}
	w.health = health{cluster: c, log: log, where: namespace, news: make(chan struct{})}
	jobs, pods := c.client.BatchV1().Jobs(namespace), c.client.CoreV1().Pods(namespace)
	w.follow(ctx, listWatch(jobs, &w.health, &w.health.jobs), listWatch(pods, &w.health, &w.health.pods))
	w.working.Go(func() { w.tick(ctx) })
	return w
}

// follow has the workers told of Jobs and pods until the context ends.
func (w *watch) follow(ctx context.Context, jobs, pods *cache.ListWatch) {
	w.jobs = w.objects(&batchv1.Job{}, jobs, cache.Indexers{byCaller: callerOf})
	w.pods = w.objects(&corev1.Pod{}, pods, cache.Indexers{byJob: func(object any) ([]string, error) { return []string{jobOf(object)}, nil }})
	for _, of := range []objects{w.jobs, w.pods} {
		w.working.Go(func() { of.informer.RunWithContext(ctx) })
	}
}

// listWatch lists and watches the objects of mops of one kind in a namespace,
// and tells health how that goes; once is set when it is watched for the first
// time.
func listWatch[L runtime.Object](of interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (apiwatch.Interface, error)
}, h *health, once *bool) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = kube.Selector
			list, err := of.List(ctx, o)
			return list, h.saw(err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
			o.LabelSelector = kube.Selector
			events, err := of.Watch(ctx, o)
			return events, h.watched(once, err)
		},
	}
}

// objects are those of one kind, as the workers were told of them, one change after the
// other. The informer's own store is ahead of that when much happens at once, or this
// process was held up: who looked there would find a pod gone whose end nobody has seen.
type objects struct {
	informer cache.SharedIndexInformer
	told     cache.Indexer
}

// objects makes one of the two; its options cannot fail before it runs.
func (w *watch) objects(of runtime.Object, from *cache.ListWatch, indexers cache.Indexers) objects {
	o := objects{cache.NewSharedIndexInformer(from, of, 0, cache.Indexers{}), cache.NewIndexer(cache.MetaNamespaceKeyFunc, indexers)}
	_ = o.informer.SetTransform(slim)
	_ = o.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}) // see health
	there := func(object any) {
		_ = o.told.Add(object) // it has a name
		w.look(jobOf(object))
	}
	_, _ = o.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    there,
		UpdateFunc: func(_, object any) { there(object) },
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			_ = o.told.Delete(object)
			w.look(jobOf(object))
		},
	})
	return o
}

// jobOf is the name of a Job, or of the Job that a pod belongs to.
func jobOf(object any) string {
	switch o := object.(type) {
	case *batchv1.Job:
		return o.Name
	case *corev1.Pod:
		return o.Labels[jobNameLabel]
	}
	return ""
}

// look lets the workers of a Job look at it.
func (w *watch) look(job string) {
	w.mu.Lock()
	workers := w.workers[job] // is never changed in place
	w.mu.Unlock()
	for _, worker := range workers {
		worker.look(time.Now())
	}
}

// add makes the watch tell a worker about its Job from now on.
func (w *watch) add(of *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.workers[of.job] = append(slices.Clone(w.workers[of.job]), of)
}

func (w *watch) remove(of *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(w.workers[of.job]), func(other *worker) bool { return other == of })
	if w.workers[of.job] = rest; len(rest) == 0 {
		delete(w.workers, of.job)
	}
}

// state is the watch's state of a Job: nil if it knows none.
func (w *watch) state(name string) (*batchv1.Job, []*corev1.Pod) {
	var job *batchv1.Job
	if object, ok, _ := w.jobs.told.GetByKey(w.namespace + "/" + name); ok {
		job = object.(*batchv1.Job)
	}
	objects, _ := w.pods.told.ByIndex(byJob, name)
	pods := make([]*corev1.Pod, len(objects))
	for i, object := range objects {
		pods[i] = object.(*corev1.Pod)
	}
	slices.SortFunc(pods, kube.ByAge)
	return job, pods
}

// slim keeps the fields of a Job or a pod that the executor reads: ten thousand
// of each in full would take hundreds of megabytes.
func slim(object any) (any, error) {
	switch o := object.(type) {
	case *batchv1.Job:
		job := &batchv1.Job{
			ObjectMeta: slimMeta(&o.ObjectMeta),
			Spec:       batchv1.JobSpec{Suspend: o.Spec.Suspend, ActiveDeadlineSeconds: o.Spec.ActiveDeadlineSeconds, BackoffLimit: o.Spec.BackoffLimit, BackoffLimitPerIndex: o.Spec.BackoffLimitPerIndex},
			Status:     batchv1.JobStatus{Conditions: o.Status.Conditions, Active: o.Status.Active, Succeeded: o.Status.Succeeded, Failed: o.Status.Failed},
		}
		if caller := o.Annotations[kube.CallerAnnotation]; caller != "" {
			job.Annotations = map[string]string{kube.CallerAnnotation: caller}
		}
		if queue := o.Labels[kube.QueueLabel]; queue != "" {
			job.Labels = map[string]string{kube.QueueLabel: queue}
		}
		return job, nil
	case *corev1.Pod:
		pod := &corev1.Pod{
			ObjectMeta: slimMeta(&o.ObjectMeta),
			Spec:       corev1.PodSpec{NodeName: o.Spec.NodeName},
			Status: corev1.PodStatus{
				Phase: o.Status.Phase, Reason: o.Status.Reason, Message: o.Status.Message,
				InitContainerStatuses: slimStatuses(o.Status.InitContainerStatuses),
				ContainerStatuses:     slimStatuses(o.Status.ContainerStatuses),
			},
		}
		pod.Labels = map[string]string{jobNameLabel: o.Labels[jobNameLabel]}
		if index := kube.IndexOf(o); index != "" {
			pod.Labels[kube.IndexLabel] = index
		}
		for _, c := range o.Status.Conditions {
			switch c.Type {
			case corev1.PodScheduled, corev1.DisruptionTarget, corev1.PodReady, corev1.ContainersReady:
				pod.Status.Conditions = append(pod.Status.Conditions, c)
			}
		}
		if o.Spec.NodeName == "" { // why it has none
			pod.Spec.NodeSelector, pod.Spec.Affinity = o.Spec.NodeSelector, o.Spec.Affinity
		}
		for _, c := range o.Spec.Containers {
			if c.Name == kube.ContainerName {
				pod.Spec.Containers = []corev1.Container{{Name: c.Name, Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests, Limits: c.Resources.Limits}}}
			}
		}
		return pod, nil
	}
	return object, nil // a tombstone
}

func slimMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
		DeletionGracePeriodSeconds: m.DeletionGracePeriodSeconds,
	}
}

func slimStatuses(all []corev1.ContainerStatus) (kept []corev1.ContainerStatus) {
	for _, c := range all {
		kept = append(kept, corev1.ContainerStatus{Name: c.Name, State: c.State})
	}
	return kept
}
