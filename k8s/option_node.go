package k8s

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// NodeSelector adds a label that a node must have.
func NodeSelector(key, value string) Option {
	return func(s *settings) { set(&s.nodeSelector, key, value) }
}

// NodeIn adds a label for which a node must have one of the values: any of
// several pools, say.
func NodeIn(key string, values ...string) Option {
	return func(s *settings) {
		s.nodeNeeds = append(s.nodeNeeds, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values})
	}
}

// NodeAffinity adds terms; a node must fulfil at least one of them.
func NodeAffinity(terms ...corev1.NodeSelectorTerm) Option {
	return func(s *settings) { s.nodeTerms = append(s.nodeTerms, terms...) }
}

// Tolerate lets pods run on nodes with a taint, as kubectl writes it: key,
// value ("" for any) and effect, such as NoSchedule.
func Tolerate(key, value string, effect corev1.TaintEffect) Option {
	toleration := corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: value, Effect: effect}
	if value == "" {
		toleration.Operator = corev1.TolerationOpExists
	}
	return func(s *settings) { s.tolerations = append(s.tolerations, toleration) }
}

// spotLabels are the labels of nodes that clouds may take back. If such nodes
// have a taint, it is the same.
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

// Spot lets pods run on spot nodes of Azure, Google and AWS, too. If a node is
// taken away, its pod is started again; that does not count as one of its
// Retries.
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

// Dedicated lets pods run on nodes that the taint
// dedicated=<purpose>:NoSchedule keeps for a purpose.
func Dedicated(purpose string) Option {
	return Tolerate("dedicated", purpose, corev1.TaintEffectNoSchedule)
}

// LargeCPU lets pods run on nodes that are kept for pods that need 64 CPUs:
// Dedicated("64cpu").
func LargeCPU() Option { return Dedicated("64cpu") }

// GPU gives each pod n GPUs of NVIDIA's, and lets it run on nodes that a taint
// keeps for that: nvidia.com/gpu, sku=gpu (Azure) or dedicated=gpu.
func GPU(n int) Option {
	return Options(GPUResource("nvidia.com/gpu", n), Tolerate("sku", "gpu", corev1.TaintEffectNoSchedule), Dedicated("gpu"))
}

// GPUResource is GPU with another name of the resource, such as "amd.com/gpu";
// it tolerates the taint of that name.
func GPUResource(name string, n int) Option {
	return Options(Resource(name, strconv.Itoa(n)), Tolerate(name, "", corev1.TaintEffectNoSchedule))
}
