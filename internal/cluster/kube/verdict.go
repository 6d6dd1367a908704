package kube

import (
	"cmp"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// View is what is known of a Job at a moment.
type View struct {
	Worker string        // for people: "worker of f@1 (Job ns/name)"
	Job    *batchv1.Job  // nil: not seen yet, or gone
	Pods   []*corev1.Pod // oldest first
	Former []*corev1.Pod // as they were last seen, and are there no more
	Gone   bool          // the Job was there and is not any more
	Unseen bool          // gone before it was ever seen
	Events string        // what the cluster says of a Job without pods, or of a pod that is being prepared

	Turn Turn // why the Job is suspended

	// Suspended are the pods that were there when the Job was suspended, by name: the
	// queue took its turn back. They use up neither a retry nor a disruption.
	Suspended map[string]bool

	// Protocol says that the exit codes are those of a worker of mops.
	Protocol bool

	// Workers is how many share the calls of a pack; 0: it is one call.
	Workers int

	// Disruptions is how often the cluster may take a worker's pod away; negative:
	// always.
	Disruptions int
}

// Verdict is what follows from a view.
type Verdict struct {
	Ended   bool
	Exit    executor.Exit
	Pod     string    // whose container told how it ended, or why its Job must not go on
	Hazy    bool      // the pod that explains it may not have been seen yet
	Running bool      // the program runs
	Stuck   *Obstacle // what keeps it from starting

	Leftover bool            // it has ended, and its Job goes on all the same: somebody must delete it
	Stranded string          // a pod that somebody must delete: its worker crashed, and sidecars keep it
	Setbacks []Setback       // oldest first, if it has not ended
	Hopeless *executor.Error // why its Job must not go on
}

// Decide says how a worker is. It is the one place that does.
//
// The end of the container is the end of the worker, if its exit code says that
// the Job will not try again: the Job's own word comes seconds later. All else is
// the Job's to say. For several workers see packEnded.
func Decide(v View) Verdict {
	d := decide(v)
	if d.Ended {
		return d
	}
	d.Setbacks, d.Hopeless, d.Pod = setbacks(v)
	if pod := stranded(v); pod != nil {
		d.Stranded = pod.Name
	}
	return d
}

func decide(v View) Verdict {
	if end, ok := containersSay(v); ok {
		return end
	}
	alive := slices.ContainsFunc(v.Pods, IsAlive)
	switch {
	case v.Job == nil && !v.Gone:
		return Verdict{}
	case v.Job == nil && alive:
		// Its pod goes next, or was left behind on purpose, and runs on.
		return Verdict{Running: slices.ContainsFunc(v.Pods, IsRunning)}
	case v.Job == nil:
		return Verdict{Ended: true, Exit: deleted(v)}
	case Condition(v.Job, batchv1.JobComplete) != nil:
		return Verdict{Ended: true, Exit: executor.Exit{Code: executor.ExitOK}}
	case Condition(v.Job, batchv1.JobFailed) != nil && !alive:
		return failed(v)
	case slices.ContainsFunc(v.Pods, IsRunning):
		return Verdict{Running: true}
	case v.Job.DeletionTimestamp != nil || Condition(v.Job, batchv1.JobFailed) != nil || Condition(v.Job, batchv1.JobFailureTarget) != nil:
		return Verdict{} // on its way
	}
	return Verdict{Stuck: obstacleOf(v)}
}

// containersSay is the end of a worker, or of all workers of a pack, by what is known
// of their containers.
func containersSay(v View) (end Verdict, ok bool) {
	if v.Workers > 0 {
		return packEnded(v)
	}
	if pod, code, ok := lastWord(v); ok {
		exit := executor.Exit{Code: code}
		if code == executor.ExitUnfit && v.Protocol {
			exit.Err = &executor.Error{Reason: executor.WorkerFailed, Message: "the " + v.Worker + " cannot do its work; its last lines say why"}
		}
		return Verdict{Ended: true, Pod: pod.Name, Exit: exit, Leftover: leavesJob(v, pod, code)}, true
	}
	if pod := stranded(v); pod != nil && isFinal(v, pod) && disruption(pod) == nil {
		f, _ := failureOf(pod, v.Protocol)
		return Verdict{Ended: true, Pod: pod.Name, Exit: executor.Exit{Code: f.code, Err: f.err(v)}, Leftover: leavesJob(v, pod, f.code)}, true
	}
	return Verdict{}, false
}

// lastWord is the exit code of a container that ends the Job.
func lastWord(v View) (pod *corev1.Pod, code int, ok bool) {
	for _, p := range slices.Concat(v.Former, v.Pods) {
		t := Terminated(p)
		switch {
		case t == nil:
		case t.ExitCode == executor.ExitOK:
			return p, executor.ExitOK, true
		// In a pod that was taken away nothing but success counts.
		case v.Protocol && disruption(p) == nil && !v.Suspended[p.Name] &&
			(t.ExitCode == executor.ExitFunc || t.ExitCode == executor.ExitLost || t.ExitCode == executor.ExitUnfit):
			return p, int(t.ExitCode), true
		}
	}
	return nil, 0, false
}

// deleted is the end of a worker whose Job is gone.
func deleted(v View) executor.Exit {
	message := "the %s is lost: its Job was deleted, and not by this program; call it again"
	if v.Unseen {
		message = "the %s is lost: its Job was gone before this program saw its end, deleted by somebody or, since it had ended, after its time (see k8s.TTL); call it again"
	}
	return executor.Exit{Code: -1, Err: &executor.Error{Reason: executor.WorkerLost, Message: fmt.Sprintf(message, v.Worker)}}
}

// failed is the end of a worker whose Job failed.
func failed(v View) Verdict {
	c := Condition(v.Job, batchv1.JobFailed)
	if c.Reason == batchv1.JobReasonDeadlineExceeded {
		return Verdict{Ended: true, Exit: executor.Exit{Code: -1, Err: &executor.Error{
			Reason: executor.DeadlineExceeded,
			Message: fmt.Sprintf("the %s was stopped by the cluster after %d s, the Job's deadline; give it longer with k8s.Deadline (%s)",
				v.Worker, deref(v.Job.Spec.ActiveDeadlineSeconds), c.Message),
		}}}
	}
	if f, ok := culprit(v); ok {
		return Verdict{Ended: true, Pod: f.pod.Name, Exit: f.exit(v, c)}
	}
	return Verdict{Ended: true, Hazy: true, Exit: executor.Exit{Code: -1, Err: &executor.Error{
		Reason: executor.WorkerFailed,
		Message: fmt.Sprintf("the %s failed (%s: %s), and its pod is gone, which would say more; see `kubectl describe job -n %s %s`",
			v.Worker, c.Reason, c.Message, v.Job.Namespace, v.Job.Name),
	}}}
}

// Condition is a condition of a Job that holds.
func Condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
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

// WorkerStatus is the status of the worker's container.
func WorkerStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	for i, c := range pod.Status.ContainerStatuses {
		if c.Name == ContainerName {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// Terminated is how the worker's container ended, if it has.
func Terminated(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if c := WorkerStatus(pod); c != nil {
		return c.State.Terminated
	}
	return nil
}

// IsRunning says that the program of a pod runs.
func IsRunning(pod *corev1.Pod) bool {
	c := WorkerStatus(pod)
	return c != nil && c.State.Running != nil
}

// IsAlive says that something of a pod may still run.
func IsAlive(pod *corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// HasRoom says that a pod has a node and something of it may still run.
func HasRoom(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" && IsAlive(pod) }

func deref(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// ByAge puts the oldest pod first.
func ByAge(a, b *corev1.Pod) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}
