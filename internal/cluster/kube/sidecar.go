package kube

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// A pod ends when all of its containers have. A sidecar that is an ordinary
// container (a log agent, a proxy of a mesh) runs on when the worker has ended,
// and to the Job its pod still runs. Sidecars that are init containers end by
// themselves: the cluster sees to that.

// outlived reports whether other containers of a pod run on though its worker
// has ended.
func outlived(pod *corev1.Pod) bool {
	return IsAlive(pod) && Terminated(pod) != nil && slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.Name != ContainerName && c.State.Terminated == nil
	})
}

// leavesJob reports whether the Job of a worker that has ended goes on, so that
// somebody must delete it: its pod runs on, or another follows, as a sidecar
// failed though the worker did not, or as the Job was suspended meanwhile.
func leavesJob(v View, pod *corev1.Pod, code int) bool {
	if v.Gone || v.Job != nil && v.Job.DeletionTimestamp != nil {
		return false
	}
	return v.Job != nil && IsSuspended(v.Job) || outlived(pod) || code == executor.ExitOK && pod.Status.Phase == corev1.PodFailed
}

// stranded is the pod whose worker has ended and that nobody ends; nil if there
// is none.
func stranded(v View) *corev1.Pod {
	for _, pod := range v.Pods {
		// In a pack, one whose worker succeeded stays until the others have ended: if it
		// went, the Job would make another.
		if pod.DeletionTimestamp == nil && outlived(pod) && (v.Workers == 0 || !hasSucceeded(pod)) {
			return pod
		}
	}
	return nil
}
