package k8s

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// orchestratorAnnotation marks pods of programs that call, rather than work.
const orchestratorAnnotation = domain + "orchestrator"

// Orchestrator is what the pod of a program that calls needs, for [Launch]: the
// service account, with [Permissions] in its namespace; the name of its own image,
// in which its workers run, too; a minute in which it stops them, if it is stopped;
// and that no autoscaler takes its node away. Options that come later may say
// otherwise. A node that is lost or drained starts it again: it finds the workers
// that run already.
func Orchestrator(serviceAccount string) Option {
	return Options(
		ServiceAccount(serviceAccount), StopGrace(time.Minute),
		Annotation(orchestratorAnnotation, "true"),
		// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, https://karpenter.sh/docs/concepts/disruption
		Annotation("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"), Annotation("karpenter.sh/do-not-disrupt", "true"),
		func(s *settings) { s.orchestrator = true },
	)
}

func (s *settings) orchestratorEnv(image string) []corev1.EnvVar {
	if !s.orchestrator {
		return nil
	}
	return []corev1.EnvVar{variable(ownImage, image)}
}

// UsesMops says that a pod's program is one that uses mops: a worker, or an
// orchestrator.
func UsesMops(pod *corev1.Pod) bool {
	return pod.Annotations[memoURIAnnotation] != "" || pod.Annotations[orchestratorAnnotation] != ""
}

// Container is the name of a pod's container that matters.
func Container(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		if c.Name == containerName {
			return c.Name
		}
	}
	if usual := pod.Annotations["kubectl.kubernetes.io/default-container"]; usual != "" {
		return usual
	}
	return pod.Spec.Containers[0].Name
}
