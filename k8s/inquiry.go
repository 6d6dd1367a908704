package k8s

import (
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// inquiry is a question about a worker that the watches cannot answer: whether
// a Job exists that they never saw; which events explain why a Job gets no pod,
// or why a pod does not get ready.
type inquiry struct {
	about subject
	since time.Time // of the beginning of the question
	asked time.Time
	heard string // the events' answer
}

// subject is what to ask about; its kind is "" if there is nothing to ask.
type subject struct{ kind, name string }

const (
	existence = "existence" // of a Job that no watch saw
	jobEvents = "Job"       // the kind, as events name it
	podEvents = "Pod"       // likewise
	askEvery  = 10 * time.Second
)

// patient is how long to wait before asking.
var patient = map[string]time.Duration{existence: 5 * time.Second, jobEvents: 3 * time.Second, podEvents: 10 * time.Second}

// consider notes what to ask about a worker that has not ended.
func (q *inquiry) consider(w *worker, job *batchv1.Job, pods []*corev1.Pod) {
	about := subject{}
	switch {
	case w.started.IsZero(): // not created yet
	case job == nil && !w.seen && !w.gone:
		about = subject{existence, w.job}
	case job == nil || job.DeletionTimestamp != nil || kube.IsSuspended(job):
	case kube.LacksPod(job, pods):
		about = subject{jobEvents, w.job}
	default:
		if pod := preparing(pods); pod != nil {
			about = subject{podEvents, pod.Name}
		}
	}
	if about != q.about {
		*q = inquiry{about: about, since: time.Now()}
	}
}

// preparing is the pod to ask about, if none runs.
func preparing(pods []*corev1.Pod) (found *corev1.Pod) {
	for _, pod := range kube.Newest(pods) {
		switch {
		case kube.IsRunning(pod):
			return nil
		case isPreparing(pod):
			found = pod
		}
	}
	return found
}

// isPreparing reports whether a pod has a node and does not say what it waits
// for.
func isPreparing(pod *corev1.Pod) bool {
	if pod.Spec.NodeName == "" || pod.Status.Phase != corev1.PodPending || pod.DeletionTimestamp != nil {
		return false
	}
	c := kube.WorkerStatus(pod)
	return c == nil || c.State.Waiting != nil && c.State.Waiting.Message == ""
}

// answer is what events said, if the subject is still the same.
func (q *inquiry) answer(job string, pods []*corev1.Pod) string {
	switch q.about.kind {
	case jobEvents:
		if len(pods) == 0 {
			return q.heard
		}
	case podEvents:
		if slices.ContainsFunc(kube.Newest(pods), func(pod *corev1.Pod) bool { return pod.Name == q.about.name }) {
			return q.heard
		}
	}
	return ""
}

// due is the question to ask now, if there is one.
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
		message = kube.Complaint(events.Items)
	}
	w.mu.Lock()
	if w.inquiry.about == about {
		w.inquiry.heard = message
	}
	w.mu.Unlock()
	w.look(time.Now())
	return nil
}
