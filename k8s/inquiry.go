package k8s

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/TrilliantHealth/mops-go/internal/kube"
)

// inquiry is what the watches do not tell about a worker, and has to be asked for:
// whether a Job that they never saw is there; what events say where a Job gets no
// pod, or a pod does not get ready.
type inquiry struct {
	about subject
	since time.Time // since when there is something to ask
	asked time.Time
	heard string // events of the subject
}

// subject is what to ask about; its kind is "" where all is well.
type subject struct{ kind, name string }

const (
	existence = "existence" // of a Job that was not seen
	jobEvents = "Job"       // the kind, as events name it
	podEvents = "Pod"       // likewise
	askEvery  = 10 * time.Second
)

// patient is how long to wait before asking.
var patient = map[string]time.Duration{existence: 5 * time.Second, jobEvents: 3 * time.Second, podEvents: 10 * time.Second}

// consider notes what there is to ask about a worker that has not ended.
func (q *inquiry) consider(w *worker, job *batchv1.Job, pods []*corev1.Pod) {
	about := subject{}
	switch {
	case w.started.IsZero(): // not created yet
	case job == nil && !w.seen && !w.gone:
		about = subject{existence, w.job}
	case job == nil || job.DeletionTimestamp != nil || job.Spec.Suspend != nil && *job.Spec.Suspend:
	case len(pods) == 0 && len(job.Status.Conditions) == 0:
		about = subject{jobEvents, w.job}
	case len(pods) > 0 && isPreparing(pods[len(pods)-1]):
		about = subject{podEvents, pods[len(pods)-1].Name}
	}
	if about != q.about {
		*q = inquiry{about: about, since: time.Now()}
	}
}

// isPreparing says that a pod has a node and no word of what it waits for.
func isPreparing(pod *corev1.Pod) bool {
	if pod.Spec.NodeName == "" || pod.Status.Phase != corev1.PodPending || pod.DeletionTimestamp != nil {
		return false
	}
	c := kube.WorkerStatus(pod)
	return c == nil || c.State.Waiting != nil && c.State.Waiting.Message == ""
}

// answer is what events said of the subject, as long as it is the subject.
func (q *inquiry) answer(job string, pods []*corev1.Pod) string {
	switch q.about.kind {
	case jobEvents:
		if len(pods) == 0 {
			return q.heard
		}
	case podEvents:
		if len(pods) > 0 && pods[len(pods)-1].Name == q.about.name {
			return q.heard
		}
	}
	return ""
}

// due is what to ask about now.
func (w *worker) due(now time.Time) (subject, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := &w.inquiry
	if w.left || q.about.kind == "" || now.Sub(q.since) < patient[q.about.kind] || now.Sub(q.asked) < askEvery {
		return subject{}, false
	}
	q.asked = now
	return q.about, true
}

// ask asks the cluster, and lets the worker look again.
func (w *worker) ask(ctx context.Context, about subject) error {
	c, namespace := w.watch.cluster, w.watch.namespace
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if about.kind == existence {
		_, err := c.client.BatchV1().Jobs(namespace).Get(ctx, about.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			w.lost()
			return nil
		}
		return err
	}
	events, err := c.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.Set{
		"involvedObject.kind": about.kind, "involvedObject.name": about.name,
	}.String()})
	message := ""
	switch {
	case apierrors.IsForbidden(err) && about.kind == jobEvents:
		message = fmt.Sprintf("it has no pod, and why is not known: there is no permission to list events in namespace %s", namespace)
	case err != nil:
		return err
	default:
		message = complaint(events.Items)
	}
	w.mu.Lock()
	if w.inquiry.about == about {
		w.inquiry.heard = message
	}
	w.mu.Unlock()
	w.look(time.Now())
	return nil
}

// complaint is the latest event, if it is a warning: what came before has passed.
func complaint(events []corev1.Event) string {
	var latest *corev1.Event
	for i := range events {
		if latest == nil || !eventTime(&events[i]).Before(eventTime(latest)) {
			latest = &events[i]
		}
	}
	if latest == nil || latest.Type != corev1.EventTypeWarning {
		return ""
	}
	return latest.Reason + ": " + latest.Message
}

func eventTime(e *corev1.Event) time.Time {
	at := later(e.LastTimestamp.Time, e.EventTime.Time)
	if e.Series != nil {
		at = later(at, e.Series.LastObservedTime.Time)
	}
	return later(at, e.CreationTimestamp.Time)
}
