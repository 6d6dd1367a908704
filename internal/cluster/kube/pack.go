package kube

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// A pack is a list of calls that several workers share. Its Job is an Indexed one:
// each worker has an index, and pods of that index, one after the other. What holds
// for the pods of a Job of one call holds here for the pods of each worker.
//
// A worker ends with 0 when the list has nothing more for it. If it dies, the call
// that it computed is lost, and the pod that follows goes on with the list. So an
// exit code of a pod says nothing about the pack, but for packFinalCodes, and a
// pack has ended when all of its workers have.

// IndexLabel holds the index of a pod's worker. It is an annotation, too, which all
// versions of Kubernetes set.
const IndexLabel = batchv1.JobCompletionIndexAnnotation

// IndexOf is the index of a pod's worker; "" in a Job of one call.
func IndexOf(pod *corev1.Pod) string {
	if index, ok := pod.Labels[IndexLabel]; ok {
		return index
	}
	return pod.Annotations[IndexLabel]
}

// PackFinalCodes are the exit codes after which no pod of a pack is of any use: the
// program cannot do the work, or cannot be started.
var PackFinalCodes = []int32{executor.ExitUnfit, exitNotStarted}

// Newest are the newest pods of a Job's workers, oldest first, as the pods are given.
// The pods of a Job of one call have one worker.
func Newest(pods []*corev1.Pod) (newest []*corev1.Pod) {
	seen := make(map[string]bool, len(pods))
	for _, pod := range slices.Backward(pods) {
		if index := IndexOf(pod); !seen[index] {
			seen[index] = true
			newest = append(newest, pod)
		}
	}
	slices.Reverse(newest)
	return newest
}

// packEnded reports whether a pack has ended, as far as its containers say. The Job's
// own word comes seconds later; where sidecars run on, or some workers find no room,
// it does not come at all. A worker that never ran is not needed once another has
// ended with 0: the list has nothing more for it either.
func packEnded(v View) (end Verdict, ended bool) {
	succeeded, ran := workersThat(v, hasSucceeded), workersThat(v, hasRun)
	if succeeded == 0 || ran > succeeded {
		return Verdict{}, false
	}
	leftover := succeeded < v.Workers || slices.ContainsFunc(v.Pods, func(pod *corev1.Pod) bool { return outlived(pod) || failedBesideWorker(pod) })
	complete := v.Job != nil && Condition(v.Job, batchv1.JobComplete) != nil
	going := v.Gone || v.Job != nil && v.Job.DeletionTimestamp != nil
	return Verdict{Ended: true, Exit: executor.Exit{Code: executor.ExitOK}, Leftover: leftover && !going && !complete}, true
}

// workersThat is how many workers have or had a pod of which something holds.
func workersThat(v View, holds func(*corev1.Pod) bool) int {
	indexes := map[string]bool{}
	for _, pods := range [][]*corev1.Pod{v.Former, v.Pods} {
		for _, pod := range pods {
			if holds(pod) {
				indexes[IndexOf(pod)] = true
			}
		}
	}
	return len(indexes)
}

// hasRun reports whether the program of a pod has run, or may have: of a pod that was
// evicted nothing shows it.
func hasRun(pod *corev1.Pod) bool { return IsRunning(pod) || Terminated(pod) != nil || !IsAlive(pod) }

func hasSucceeded(pod *corev1.Pod) bool {
	t := Terminated(pod)
	return t != nil && t.ExitCode == executor.ExitOK
}

// failedBesideWorker reports whether a pod failed though its worker did not.
func failedBesideWorker(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed && hasSucceeded(pod)
}

// inVain is how long a pod may have lived that died before it got anywhere.
const inVain = 5 * time.Second

// isStillborn reports whether no pod of a pack got anywhere: each one died within
// seconds of its start. Then what kills them is the program, and no single call: the
// calls that killed others are not tried again.
func isStillborn(v View) bool {
	return !slices.ContainsFunc(slices.Concat(v.Former, v.Pods), func(pod *corev1.Pod) bool {
		t := Terminated(pod)
		return IsRunning(pod) || t != nil && (t.ExitCode == executor.ExitOK || t.FinishedAt.Sub(t.StartedAt.Time) > inVain)
	})
}

// culprit is the failure that says most about why a Job failed: the newest of one
// call. When a pack fails, the cluster ends the pods of its other workers, too, and
// those say nothing.
func culprit(v View) (found failure, ok bool) {
	best := 0
	for _, pod := range slices.Backward(slices.Concat(v.Former, v.Pods)) {
		f, failed := failureOf(pod, v.Protocol)
		if !failed || v.Workers > 0 && hasSucceeded(pod) {
			continue
		}
		weight := 1
		switch {
		case v.Workers == 0:
			return f, true
		case isFinal(v, pod):
			weight = 3
		case pod.DeletionTimestamp == nil:
			weight = 2
		}
		if weight > best {
			found, best = f, weight
		}
	}
	return found, best > 0
}
