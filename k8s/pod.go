package k8s

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// scratch is a folder in the pod that everybody may write to; many small images
// have none.
const scratch = "/tmp"

const scratchVolume = "scratch"

// pod is the template of pods for a task. It satisfies the restricted Pod
// Security Standard:
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
func (s *settings) pod(t task) corev1.PodTemplateSpec {
	requests, limits := s.resources(t.memory.limit)
	nodeSelector, affinity := s.nodes(t.platforms)
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: new(seconds[int64](s.stopGrace)),
		ServiceAccountName:            s.account(t.namespace),
		AutomountServiceAccountToken:  new(s.serviceAccount != ""),
		EnableServiceLinks:            new(false),
		PriorityClassName:             s.priorityClass,
		NodeSelector:                  nodeSelector,
		Affinity:                      affinity,
		Tolerations:                   s.tolerations,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(s.user != 0),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: slices.Clone(s.volumes),
		Containers: []corev1.Container{{
			Name:            kube.ContainerName,
			Image:           t.image,
			ImagePullPolicy: s.pullPolicyOf(t.image),
			Command:         t.command,
			Args:            t.args,
			Env:             s.environment(t, limits),
			EnvFrom:         s.envFrom,
			Resources:       corev1.ResourceRequirements{Requests: requests, Limits: limits},
			VolumeMounts:    slices.Clone(s.mounts),
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			// If a worker leaves no message about its end, the pod's status has its last
			// lines.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		}},
	}
	for _, name := range s.pullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, named(name))
	}
	if s.user >= 0 {
		spec.SecurityContext.RunAsUser = new(s.user)
	}
	if s.group >= 0 {
		spec.SecurityContext.RunAsGroup = new(s.group)
	}
	if s.fsGroup >= 0 {
		spec.SecurityContext.FSGroup = new(s.fsGroup)
	}
	if !slices.ContainsFunc(s.mounts, func(m corev1.VolumeMount) bool { return m.MountPath == scratch }) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: scratchVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		spec.Containers[0].VolumeMounts = append(spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: scratchVolume, MountPath: scratch})
	}
	return corev1.PodTemplateSpec{Spec: spec}
}

// environment is the worker's. Of two variables of one name Kubernetes takes
// the later one.
func (s *settings) environment(t task, limits corev1.ResourceList) []corev1.EnvVar {
	env := []corev1.EnvVar{
		variable(kube.JobVariable, t.name),
		variable(kube.NamespaceVariable, t.namespace),
		variable(kube.ImageVariable, t.image),
		field(kube.PodVariable, "metadata.name"),
		field("MOPS_K8S_NODE", "spec.nodeName"),
		share("MOPS_K8S_CPU_REQUEST", "requests.cpu", "1m"),
		share("MOPS_K8S_CPU_LIMIT", "limits.cpu", "1m"),
		share("MOPS_K8S_MEMORY_REQUEST", "requests.memory", "1"),
		share("MOPS_K8S_MEMORY_LIMIT", "limits.memory", "1"),
		variable("MOPS_K8S_STOP_GRACE", strconv.FormatInt(seconds[int64](s.stopGrace), 10)),
		variable("MOPS_CACHE", scratch+"/mops"),
	}
	if len(t.platforms) > 0 {
		env = append(env, variable(kube.PlatformsVariable, strings.Join(t.platforms, " ")))
	}
	if user := kube.User(); user != "" {
		env = append(env, variable(kube.UserVariable, user))
	}
	if s.target.Context != "" {
		env = append(env, variable(kube.ClusterVariable, s.target.Context))
	}
	if limit, ok := limits[corev1.ResourceMemory]; ok {
		// In KiB, so that no small limit becomes none.
		env = append(env, variable("MOPS_K8S_MEMORY_FROM", t.memory.from))
		env = append(env, variable("GOMEMLIMIT", resource.NewQuantity(limit.Value()/1024*9/10, resource.DecimalSI).AsDec().String()+"KiB"))
	}
	own := map[string]bool{}
	for _, v := range slices.Concat(s.env, t.env) {
		own[v.Name] = true
	}
	env = slices.DeleteFunc(env, func(v corev1.EnvVar) bool { return own[v.Name] })
	return slices.Concat(env, s.env, t.env)
}

// variable is a variable with this very value: Kubernetes would replace $(NAME)
// by another variable.
func variable(name, value string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, Value: strings.ReplaceAll(value, "$", "$$")}
}

func field(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
}

func share(name, of, unit string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: kube.ContainerName, Resource: of, Divisor: resource.MustParse(unit)},
	}}
}

// account is the service account of pods in a namespace.
func (s *settings) account(namespace string) string {
	if azure := s.azure.or(s.usualAzure); s.serviceAccount == "" && azure.covers(namespace) {
		return azure.account
	}
	return s.serviceAccount
}

// identityLabels ask for an identity of Azure's in a namespace.
func (s *settings) identityLabels(namespace string) map[string]string {
	switch azure := s.azure.or(s.usualAzure); {
	case azure.covers(namespace):
		return map[string]string{"azure.workload.identity/use": "true"}
	case azure.binding != "":
		return map[string]string{"aadpodidbinding": azure.binding}
	}
	return nil
}
