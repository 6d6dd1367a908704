package k8s

import (
	"cmp"
	"slices"
	"strconv"
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
	p = given(&pod.Spec)
	p.Host, p.Node = pod.Name, pod.Spec.NodeName
	return p
}

// given is what a pod asks for, and where it may run.
func given(pod *corev1.PodSpec) executor.Place {
	p := executor.Place{Spot: onSpot(pod)}
	if c := workerOf(pod); c != nil {
		p.Requests, p.Limits = resourcesOf(c.Resources.Requests), resourcesOf(c.Resources.Limits)
	}
	return p
}

// workerOf is the worker's container; nil if there is none.
func workerOf(pod *corev1.PodSpec) *corev1.Container {
	i := slices.IndexFunc(pod.Containers, func(c corev1.Container) bool { return c.Name == kube.ContainerName })
	if i < 0 {
		return nil
	}
	return &pod.Containers[i]
}

// tellPlace tells the worker what Kubernetes tells no container: how many GPUs it
// has, and whether it runs on spot capacity.
func tellPlace(pod *corev1.PodSpec) {
	c, p := workerOf(pod), given(pod)
	if c == nil {
		return
	}
	if gpus := cmp.Or(p.Limits.GPU, p.Requests.GPU); gpus > 0 {
		c.Env = append(c.Env, variable("MOPS_K8S_GPU_REQUEST", strconv.FormatFloat(gpus, 'f', -1, 64)))
	}
	if p.Spot {
		c.Env = append(c.Env, variable("MOPS_K8S_ON_SPOT", "true"))
	}
}

// onSpot reports whether a pod may run on spot nodes only, as its node selector or its
// node affinity says: of one that may run on others, too, the nodes would have to be
// asked, for which a program needs no permission otherwise.
func onSpot(pod *corev1.PodSpec) bool {
	for _, spot := range spotLabels {
		if pod.NodeSelector[spot.key] == spot.value {
			return true
		}
	}
	affinity := pod.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return false
	}
	terms := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	for _, term := range terms {
		if !slices.ContainsFunc(term.MatchExpressions, isSpot) {
			return false
		}
	}
	return len(terms) > 0
}

func isSpot(r corev1.NodeSelectorRequirement) bool {
	for _, spot := range spotLabels {
		if r.Key == spot.key && r.Operator == corev1.NodeSelectorOpIn && slices.Equal(r.Values, []string{spot.value}) {
			return true
		}
	}
	return false
}

func resourcesOf(list corev1.ResourceList) (r executor.Resources) {
	r.CPU, r.Memory = list.Cpu().AsApproximateFloat64(), list.Memory().Value()
	for name, n := range list {
		// Such as nvidia.com/gpu, nvidia.com/mig-1g.5gb, amd.com/gpu, gpu.intel.com/i915.
		if strings.Contains(string(name), "gpu") || strings.Contains(string(name), "/mig-") {
			r.GPU += float64(n.Value())
		}
	}
	return r
}
