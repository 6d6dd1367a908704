package k8s

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Image sets the image that holds the program. If the cluster has nodes on which it
// does not run, see [Platforms], or image.Existing, which asks the registry.
func Image(reference string) Option {
	source := newImage(reference)
	return func(s *settings) { s.image = source }
}

func newImage(reference string) *imageSource {
	return &imageSource{named: true, make: func(context.Context) (string, []string, error) { return reference, nil, nil }}
}

// ImageFrom sets the image by a function, such as one that builds it: that of
// image.FromSelf, say, or of image.Existing. The first Job that needs the image
// calls make; once it succeeded, it is not called again. Pods run only on nodes of
// the platforms that make returns, as in [Platforms]; none means that they are not
// known. In a pod of mops, MOPS_K8S_IMAGE names the pod's own image, and
// MOPS_K8S_IMAGE_PLATFORMS its platforms ("linux/amd64 linux/arm64"): that one is
// taken, and make is not called; it counts if no image is set, too.
func ImageFrom(make func(context.Context) (reference string, platforms []string, err error)) Option {
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

// MemoryFromHistory lets the earlier runs of a function say how much memory its pods
// get: what so many percent of them needed at most, from 50 to 100, such as 95, and a
// quarter more, rounded up. It is at least [MemoryMin] and at most [MemoryMax]. The
// default is 0, which turns it off.
//
// Those runs count, some 200 of the latest, that were made on Kubernetes, in the same
// root and pipeline and at the same version of the function, on platforms that the
// image is for. One that ran out of memory counts with twice as much as it had. Memory
// counts while fewer than 20 are known, so it must be set. A call that runs out of
// memory is tried again with twice as much as it had, and at least with Memory.
//
// The first call of a function waits for its history, for 5 s at most. A result does
// not depend on it; `mops k8s jobs` and `mops inspect` say where a number comes from.
func MemoryFromHistory(percentile float64) Option {
	return func(s *settings) {
		if s.percentile = percentile; !(percentile == 0 || percentile >= 50 && percentile <= 100) {
			s.refuse("k8s.MemoryFromHistory(%v): it must be from 50 to 100 percent, or 0 for off", percentile)
		}
	}
}

// MemoryMin sets the least memory that a pod gets by [MemoryFromHistory]. The default
// is 128Mi.
func MemoryMin(quantity string) Option {
	return func(s *settings) { s.memoryMin, _ = s.parse("MemoryMin", quantity) }
}

// MemoryMax sets the most memory for a call that ran out of it, and the most that it
// gets by [MemoryFromHistory]. The default is four times that of Memory.
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
// the service account, with the rights that `mops k8s rbac` prints; a minute to
// stop its workers, if it is stopped; and no autoscaler takes its node away. Its
// workers run its own image. Later options may say otherwise. After its node is
// lost or drained, the program starts again: it finds the workers that run
// already.
func Orchestrator(serviceAccount string) Option {
	return Options(
		ServiceAccount(serviceAccount), StopGrace(time.Minute),
		Annotation(kube.OrchestratorAnnotation, "true"),
		// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, https://karpenter.sh/docs/concepts/disruption
		Annotation("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"), Annotation("karpenter.sh/do-not-disrupt", "true"),
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

// Env adds a variable to the environment of workers. Everybody who may read
// Jobs may read its value; for secrets see SecretEnv.
func Env(name, value string) Option {
	return func(s *settings) { s.env = append(s.env, variable(name, value)) }
}

// SecretEnv adds a variable with the value of a key of a Secret.
func SecretEnv(name, secret, key string) Option {
	return envFrom(name, &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named(secret), Key: key}})
}

// ConfigMapEnv adds a variable with the value of a key of a ConfigMap.
func ConfigMapEnv(name, configMap, key string) Option {
	return envFrom(name, &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named(configMap), Key: key}})
}

// EnvFromSecret adds all keys of a Secret to the environment of workers.
func EnvFromSecret(name string) Option {
	return func(s *settings) {
		s.envFrom = append(s.envFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named(name)}})
	}
}

// EnvFromConfigMap adds all keys of a ConfigMap to the environment of workers.
func EnvFromConfigMap(name string) Option {
	return func(s *settings) {
		s.envFrom = append(s.envFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named(name)}})
	}
}

func envFrom(name string, source *corev1.EnvVarSource) Option {
	return func(s *settings) { s.env = append(s.env, corev1.EnvVar{Name: name, ValueFrom: source}) }
}

func named(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

// azureIdentity is how pods get an identity of Azure's.
type azureIdentity struct {
	account    string   // of Workload Identity
	namespaces []string // that have it; none: all, if there is an account
	binding    string   // of the older pod identity, elsewhere
}

// covers reports whether a namespace has Workload Identity.
func (a azureIdentity) covers(namespace string) bool {
	return slices.Contains(a.namespaces, namespace) || a.account != "" && len(a.namespaces) == 0
}

// or completes the identity by a usual one.
func (a azureIdentity) or(usual azureIdentity) azureIdentity {
	if len(a.namespaces) == 0 {
		a.namespaces = usual.namespaces
	}
	a.account, a.binding = cmp.Or(a.account, usual.account), cmp.Or(a.binding, usual.binding)
	return a
}

// ServiceAccount sets the service account of pods, and gives them its token of
// the cluster's API. Functions whose own calls run as Jobs need it, with the
// rights that `mops k8s rbac` prints. If the cloud ties identities to service accounts (AWS:
// IRSA and Pod Identity, Google: Workload Identity), nothing else is needed.
func ServiceAccount(name string) Option { return func(s *settings) { s.serviceAccount = name } }

// WorkloadIdentity gives pods an identity of Azure's by Workload Identity: the
// service account that is tied to it and the label that asks for its token. If
// namespaces are named, only in these; see PodIdentity for the others. The
// config file may set the rest: workload_identity_account and
// workload_identity_namespaces in its table [k8s].
// https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
func WorkloadIdentity(serviceAccount string, namespaces ...string) Option {
	return func(s *settings) { s.azure.account, s.azure.namespaces = serviceAccount, namespaces }
}

// PodIdentity gives pods an identity of Azure's by the older AAD Pod Identity,
// the label aadpodidbinding, in namespaces without WorkloadIdentity. In the
// config file it is aad_pod_identity, in the table [k8s].
func PodIdentity(binding string) Option { return func(s *settings) { s.azure.binding = binding } }

// Volume mounts a volume at a path in pods, in place of an earlier one at that path.
func Volume(path string, source corev1.VolumeSource) Option {
	return func(s *settings) {
		if i := slices.IndexFunc(s.mounts, func(m corev1.VolumeMount) bool { return m.MountPath == path }); i >= 0 {
			s.volumes[i].VolumeSource = source
			return
		}
		name := fmt.Sprintf("volume-%d", len(s.volumes))
		s.volumes = append(s.volumes, corev1.Volume{Name: name, VolumeSource: source})
		s.mounts = append(s.mounts, corev1.VolumeMount{Name: name, MountPath: path})
	}
}

// Claim mounts the volume of a PersistentVolumeClaim at a path in pods.
func Claim(path, claim string) Option {
	return Volume(path, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}})
}

// HostPath mounts a folder of the node at a path in pods. Clusters that enforce
// the restricted or the baseline Pod Security Standard refuse it.
func HostPath(path, onNode string) Option {
	return Volume(path, corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: onNode}})
}

// mountedRoot is the place at which pods find a root.
type mountedRoot struct{ from, to string }

// Root tells that pods find a root, and all below it, at another place:
// Root("file:///data", "file:///mnt/data") for a shared file system that is
// mounted elsewhere. Of several that hold for a root, the longest counts.
func Root(from, to string) Option {
	from, to = strings.TrimRight(from, "/"), strings.TrimRight(to, "/")
	return func(s *settings) { s.roots = append(s.roots, mountedRoot{from, to}) }
}

// RootFor is the place at which workers find a root; see [Root].
func (e *Executor) RootFor(root string) string {
	place, longest := root, -1
	for _, r := range e.settings.roots {
		rest, ok := strings.CutPrefix(root, r.from)
		if ok && (rest == "" || rest[0] == '/') && len(r.from) >= longest {
			place, longest = r.to+rest, len(r.from)
		}
	}
	return place
}
