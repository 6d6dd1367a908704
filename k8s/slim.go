package k8s

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// slim keeps the fields of a Job or a pod that the executor reads: ten thousand
// of each in full would take hundreds of megabytes.
func slim(object any) (any, error) {
	switch o := object.(type) {
	case *batchv1.Job:
		return &batchv1.Job{
			ObjectMeta: slimMeta(&o.ObjectMeta),
			Spec:       batchv1.JobSpec{Suspend: o.Spec.Suspend, ActiveDeadlineSeconds: o.Spec.ActiveDeadlineSeconds},
			Status:     batchv1.JobStatus{Conditions: o.Status.Conditions, Active: o.Status.Active, Succeeded: o.Status.Succeeded, Failed: o.Status.Failed},
		}, nil
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
		for _, c := range o.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status != corev1.ConditionTrue || c.Type == corev1.DisruptionTarget {
				pod.Status.Conditions = append(pod.Status.Conditions, c)
			}
		}
		for _, c := range o.Spec.Containers {
			if c.Name == kube.ContainerName {
				pod.Spec.Containers = []corev1.Container{{Name: c.Name, Resources: corev1.ResourceRequirements{Limits: c.Resources.Limits}}}
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
	}
}

func slimStatuses(all []corev1.ContainerStatus) (kept []corev1.ContainerStatus) {
	for _, c := range all {
		kept = append(kept, corev1.ContainerStatus{Name: c.Name, State: c.State})
	}
	return kept
}
