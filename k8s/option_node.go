package k8s

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// NodeSelector adds a label that a node must have.
func NodeSelector(key, value string) Option {
	return func(s *settings) { set(&s.nodeSelector, key, value) }
}

// NodeIn adds a label of which a node must have one of the values: any of several
// pools, say.
func NodeIn(key string, values ...string) Option {
	return func(s *settings) {
		s.nodeNeeds = append(s.nodeNeeds, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values})
	}
}

// NodeAffinity adds terms of which a node must fulfil at least one.
func NodeAffinity(terms ...corev1.NodeSelectorTerm) Option {
	return func(s *settings) { s.nodeTerms = append(s.nodeTerms, terms...) }
}

// Tolerate lets pods run on nodes with a taint, as kubectl writes it: key, value
// ("" for any) and effect, such as NoSchedule.
func Tolerate(key, value string, effect corev1.TaintEffect) Option {
	toleration := corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: value, Effect: effect}
	if value == "" {
		toleration.Operator = corev1.TolerationOpExists
	}
	return func(s *settings) { s.tolerations = append(s.tolerations, toleration) }
}

// spotLabels are what clouds label nodes with that they may take back, and what
// those nodes are tainted with where they are tainted.
//
// https://learn.microsoft.com/azure/aks/spot-node-pool,
// https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms,
// https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html,
// https://karpenter.sh/docs/concepts/scheduling
var spotLabels = []struct{ key, value string }{
	{"kubernetes.azure.com/scalesetpriority", "spot"},
	{"cloud.google.com/gke-spot", "true"},
	{"eks.amazonaws.com/capacityType", "SPOT"},
	{"karpenter.sh/capacity-type", "spot"},
}

// Spot lets pods run on spot nodes of Azure, Google and AWS, too. A pod whose node
// is taken away is started again; that does not count as one of its Retries.
func Spot() Option {
	return func(s *settings) {
		for _, spot := range spotLabels {
			Tolerate(spot.key, spot.value, corev1.TaintEffectNoSchedule)(s)
		}
	}
}

// OnlySpot lets pods run on spot nodes only.
func OnlySpot() Option {
	var terms []corev1.NodeSelectorTerm
	for _, spot := range spotLabels {
		terms = append(terms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: spot.key, Operator: corev1.NodeSelectorOpIn, Values: []string{spot.value}},
		}})
	}
	return Options(Spot(), NodeAffinity(terms...))
}

// Dedicated lets pods run on nodes that are kept for a purpose by the taint
// dedicated=<purpose>:NoSchedule.
func Dedicated(purpose string) Option {
	return Tolerate("dedicated", purpose, corev1.TaintEffectNoSchedule)
}

// LargeCPU lets pods run on nodes that are kept for those who need 64 CPUs.
func LargeCPU() Option { return Dedicated("64cpu") }

// GPU gives each pod n GPUs of NVIDIA's, and lets it run on nodes that are kept for
// that by a taint: nvidia.com/gpu, sku=gpu (Azure) or dedicated=gpu.
func GPU(n int) Option {
	return Options(GPUResource("nvidia.com/gpu", n), Tolerate("sku", "gpu", corev1.TaintEffectNoSchedule), Dedicated("gpu"))
}

// GPUResource is GPU by another name of the resource, such as "amd.com/gpu"; the
// taint that is tolerated has the same.
func GPUResource(name string, n int) Option {
	return Options(Resource(name, strconv.Itoa(n)), Tolerate(name, "", corev1.TaintEffectNoSchedule))
}
