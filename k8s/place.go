package k8s

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// placeOf is where the newest of a worker's pods is, and what it asked for; zero if
// there is none.
func placeOf(pods []*corev1.Pod) (p executor.Place) {
	if len(pods) == 0 {
		return p
	}
	pod := slices.MaxFunc(pods, kube.ByAge)
	p.Host, p.Node = pod.Name, pod.Spec.NodeName
	for _, c := range pod.Spec.Containers {
		if c.Name == kube.ContainerName {
			p.Requests, p.Limits = resourcesOf(c.Resources.Requests), resourcesOf(c.Resources.Limits)
		}
	}
	return p
}

func resourcesOf(list corev1.ResourceList) (r executor.Resources) {
	r.CPU, r.Memory = list.Cpu().AsApproximateFloat64(), list.Memory().Value()
	for name, n := range list {
		// Such as nvidia.com/gpu, nvidia.com/mig-1g.5gb, amd.com/gpu, gpu.intel.com/i915.
		if strings.Contains(string(name), "gpu") || strings.Contains(string(name), "/mig-") {
			r.GPU += n.Value()
		}
	}
	return r
}
