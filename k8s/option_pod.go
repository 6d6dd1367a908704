package k8s

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Image sets the image that holds the program.
func Image(reference string) Option {
	source := &imageSource{named: true, make: func(context.Context) (string, error) { return reference, nil }}
	return func(s *settings) { s.image = source }
}

// ImageFrom sets the image by a function, such as one that builds it. The first
// Job that needs the image calls make; once it succeeded, it is not called
// again. If MOPS_K8S_IMAGE names an image, as in the pod of an [Orchestrator],
// that one is taken, and make is not called; it counts if no image is set, too.
func ImageFrom(make func(context.Context) (reference string, err error)) Option {
	source := &imageSource{make: make}
	return func(s *settings) { s.image = source }
}

// Registry sets the registry for images whose names have none:
// "registry.example.com" makes "forecast:1.4"
// "registry.example.com/forecast:1.4".
func Registry(prefix string) Option {
	return func(s *settings) { s.registry = strings.TrimSuffix(prefix, "/") }
}

// PullPolicy sets when nodes pull the image. The default is IfNotPresent for an
// image by digest, else Always: tags are reused.
func PullPolicy(policy corev1.PullPolicy) Option { return func(s *settings) { s.pullPolicy = policy } }

// PullSecret adds a Secret with credentials for a registry.
func PullSecret(name string) Option {
	return func(s *settings) { s.pullSecrets = append(s.pullSecrets, name) }
}

// CPU sets how many CPUs a pod requests: "4", "500m". It sets no limit: a pod
// may use what the node has left; see CPULimit.
func CPU(quantity string) Option {
	return func(s *settings) { s.quantity("CPU", quantity, corev1.ResourceCPU, &s.requests) }
}

// CPULimit sets how many CPUs a pod may use at most.
func CPULimit(quantity string) Option {
	return func(s *settings) { s.quantity("CPULimit", quantity, corev1.ResourceCPU, &s.limits) }
}

// Memory sets how much memory a pod requests, and may use at most: "4Gi". A
// worker that runs out of memory is tried again with twice as much, up to
// MemoryMax.
func Memory(quantity string) Option {
	return func(s *settings) {
		s.quantity("Memory", quantity, corev1.ResourceMemory, &s.requests, &s.limits)
	}
}

// MemoryRequest sets how much memory a pod requests, if that is less than its
// limit. Give it after Memory.
func MemoryRequest(quantity string) Option {
	return func(s *settings) { s.quantity("MemoryRequest", quantity, corev1.ResourceMemory, &s.requests) }
}

// MemoryMax sets the most memory for a call that ran out of it. The default is
// four times that of Memory.
func MemoryMax(quantity string) Option {
	return func(s *settings) {
		q, ok := s.parse("MemoryMax", quantity)
		if ok && q.IsZero() {
			s.refuse("k8s.MemoryMax(%q): no call can be tried with that; leave it out for four times that of Memory", quantity)
		}
		s.memoryMax = q
	}
}

// Resource sets how much of an extended resource a pod gets, such as
// "ephemeral-storage" or "nvidia.com/gpu".
func Resource(name, quantity string) Option {
	return func(s *settings) {
		s.quantity("Resource", quantity, corev1.ResourceName(name), &s.requests, &s.limits)
	}
}

// Orchestrator gives the pod of [Launch] what a program that makes calls needs:
// the service account, with the rights that `mops k8s rbac` prints; the name of
// its own image, in which its workers run, too; a minute to stop its workers,
// if it is stopped; and no autoscaler takes its node away. Later options may
// say otherwise. After its node is lost or drained, the program starts again:
// it finds the workers that run already.
func Orchestrator(serviceAccount string) Option {
	return Options(
		ServiceAccount(serviceAccount), StopGrace(time.Minute),
		Annotation(kube.OrchestratorAnnotation, "true"),
		// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, https://karpenter.sh/docs/concepts/disruption
		Annotation("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"), Annotation("karpenter.sh/do-not-disrupt", "true"),
		func(s *settings) { s.orchestrator = true },
	)
}

func (s *settings) quantity(option, text string, name corev1.ResourceName, lists ...*corev1.ResourceList) {
	q, ok := s.parse(option, text)
	for _, list := range lists {
		if ok {
			set(list, name, q)
		}
	}
}

func (s *settings) parse(option, text string) (resource.Quantity, bool) {
	q, err := resource.ParseQuantity(text)
	if err != nil || q.Sign() < 0 {
		s.refuse(`k8s.%s(%q) is no quantity such as "500m", "2" or "4Gi"`, option, text)
		return q, false
	}
	return q, true
}

// RunAs sets the user and the group of pods. The default is 65532 for both,
// "nonroot" of many base images; negative means the image's own. Clusters that
// enforce the restricted Pod Security Standard refuse 0, root.
func RunAs(user, group int64) Option { return func(s *settings) { s.user, s.group = user, group } }

// FSGroup sets the group that owns the volumes of pods, for kinds of volume
// that support it. Negative, the default, means none.
func FSGroup(group int64) Option { return func(s *settings) { s.fsGroup = group } }
