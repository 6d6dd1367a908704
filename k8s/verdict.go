package k8s

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// view is what is known of a Job at a moment.
type view struct {
	worker string        // for people: "worker of f@1 (Job ns/name)"
	job    *batchv1.Job  // nil: not seen yet, or gone
	pods   []*corev1.Pod // oldest first
	former []*corev1.Pod // as they were last seen, and are there no more
	gone   bool          // the Job was there and is not any more
	unseen bool          // gone before it was ever seen
	events string        // what the cluster says of a Job without pods, or of a pod that is being prepared

	// protocol says that the exit codes are those of a worker of mops.
	protocol bool
}

// verdict is what follows from a view.
type verdict struct {
	ended   bool
	exit    executor.Exit
	pod     string    // whose container told how it ended
	hazy    bool      // the pod that explains it may not have been seen yet
	running bool      // the program runs
	stuck   *obstacle // what keeps it from starting
}

// decide says how a worker is. It is the one place that does.
//
// The end of the container is the end of the worker, if its exit code says that
// the Job will not try again: the Job's own word comes seconds later. All else is
// the Job's to say.
func decide(v view) verdict {
	if pod, code, ok := lastWord(v); ok {
		exit := executor.Exit{Code: code}
		if code == executor.ExitUnfit && v.protocol {
			exit.Err = &executor.Error{Reason: executor.WorkerFailed, Message: "the " + v.worker + " cannot do its work; its last lines say why"}
		}
		return verdict{ended: true, pod: pod, exit: exit}
	}
	alive := slices.ContainsFunc(v.pods, isAlive)
	switch {
	case v.job == nil && !v.gone:
		return verdict{}
	case v.job == nil && alive:
		// Its pod goes next, or was left behind on purpose, and runs on.
		return verdict{running: slices.ContainsFunc(v.pods, isRunning)}
	case v.job == nil:
		return verdict{ended: true, exit: deleted(v)}
	case condition(v.job, batchv1.JobComplete) != nil:
		return verdict{ended: true, exit: executor.Exit{Code: executor.ExitOK}}
	case condition(v.job, batchv1.JobFailed) != nil && !alive:
		return failed(v)
	case slices.ContainsFunc(v.pods, isRunning):
		return verdict{running: true}
	case v.job.DeletionTimestamp != nil || condition(v.job, batchv1.JobFailed) != nil || condition(v.job, batchv1.JobFailureTarget) != nil:
		return verdict{} // on its way
	}
	return verdict{stuck: obstacleOf(v)}
}

// lastWord is the exit code of a container that ends the Job.
func lastWord(v view) (pod string, code int, ok bool) {
	for _, p := range slices.Concat(v.former, v.pods) {
		t := terminated(p)
		switch {
		case t == nil:
		case t.ExitCode == executor.ExitOK:
			return p.Name, executor.ExitOK, true
		// In a pod that was disrupted nothing but success counts.
		case v.protocol && disruption(p) == nil &&
			(t.ExitCode == executor.ExitFunc || t.ExitCode == executor.ExitLost || t.ExitCode == executor.ExitUnfit):
			return p.Name, int(t.ExitCode), true
		}
	}
	return "", 0, false
}

// deleted is the end of a worker whose Job is gone.
func deleted(v view) executor.Exit {
	message := "the %s is lost: its Job was deleted, and not by this program; call it again"
	if v.unseen {
		message = "the %s is lost: its Job was gone before this program saw its end, deleted by somebody or, since it had ended, after its time (see k8s.TTL); call it again"
	}
	return executor.Exit{Code: -1, Err: &executor.Error{Reason: executor.WorkerLost, Message: fmt.Sprintf(message, v.worker)}}
}

// failed is the end of a worker whose Job failed.
func failed(v view) verdict {
	c := condition(v.job, batchv1.JobFailed)
	if c.Reason == batchv1.JobReasonDeadlineExceeded {
		return verdict{ended: true, exit: executor.Exit{Code: -1, Err: &executor.Error{
			Reason: executor.DeadlineExceeded,
			Message: fmt.Sprintf("the %s was stopped by the cluster after %d s, the Job's deadline; give it longer with k8s.Deadline (%s)",
				v.worker, deref(v.job.Spec.ActiveDeadlineSeconds), c.Message),
		}}}
	}
	for _, pod := range slices.Backward(slices.Concat(v.former, v.pods)) {
		if f, ok := failureOf(pod); ok {
			return verdict{ended: true, pod: pod.Name, exit: f.exit(v, c)}
		}
	}
	return verdict{ended: true, hazy: true, exit: executor.Exit{Code: -1, Err: &executor.Error{
		Reason: executor.WorkerFailed,
		Message: fmt.Sprintf("the %s failed (%s: %s), and its pod is gone, which would say more; see `kubectl describe job -n %s %s`",
			v.worker, c.Reason, c.Message, v.job.Namespace, v.job.Name),
	}}}
}

// condition is a condition of a Job that holds.
func condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i, c := range job.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

// podCondition is a condition of a pod, if it has the status.
func podCondition(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus) *corev1.PodCondition {
	for i, c := range pod.Status.Conditions {
		if c.Type == kind && c.Status == status {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// disruption is why the cluster took a pod away.
func disruption(pod *corev1.Pod) *corev1.PodCondition {
	return podCondition(pod, corev1.DisruptionTarget, corev1.ConditionTrue)
}

// container is the status of the worker's container.
func container(pod *corev1.Pod) *corev1.ContainerStatus {
	for i, c := range pod.Status.ContainerStatuses {
		if c.Name == containerName {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// terminated is how the worker's container ended, if it has.
func terminated(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if c := container(pod); c != nil {
		return c.State.Terminated
	}
	return nil
}

func isRunning(pod *corev1.Pod) bool {
	c := container(pod)
	return c != nil && c.State.Running != nil
}

// isAlive says that something of a pod may still run.
func isAlive(pod *corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

func deref(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}
