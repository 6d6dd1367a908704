package k8s

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// task is what a Job is to run. The settings say how.
type task struct {
	namespace, name string
	image           string
	platforms       []string // of the image; none: not known
	command         []string // in place of the image's entry point
	args            []string // of the entry point
	env             []corev1.EnvVar
	usualLabels     map[string]string // before which those of the settings count
	labels          map[string]string
	annotations     map[string]string
	final           []int32   // exit codes after which trying again is no use
	workers         int       // that share the calls of a pack; 0: it is one call
	memory          allotment // replaces that of the settings
}

type plan struct {
	task task
	job  *batchv1.Job
}

// job is the Job for a task.
func (s *settings) job(t task) (*batchv1.Job, error) {
	labels := merged(t.usualLabels, s.labels, t.labels, map[string]string{kube.ManagedByLabel: kube.ManagedBy})
	annotations := merged(s.annotations, t.annotations)
	if t.memory.limit != nil && t.annotations[kube.MemoURIAnnotation] != "" {
		annotations[kube.MemoryAnnotation], annotations[kube.MemoryFromAnnotation] = t.memory.limit.String(), t.memory.from
	}
	pod := s.pod(t)
	pod.Labels, pod.Annotations = merged(labels, s.identityLabels(t.namespace)), maps.Clone(annotations)
	job := &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name, Labels: maps.Clone(labels), Annotations: maps.Clone(annotations)},
		Spec: batchv1.JobSpec{
			Completions:             new(int32(1)),
			Parallelism:             new(int32(1)),
			BackoffLimit:            new(int32(s.retries)),
			TTLSecondsAfterFinished: new(seconds[int32](s.ttl)),
			PodReplacementPolicy:    new(batchv1.Failed), // never two pods of a worker at once
			PodFailurePolicy:        failurePolicy(t.final),
			Template:                pod,
		},
	}
	if t.workers > 0 {
		spec := &job.Spec
		spec.CompletionMode = new(batchv1.IndexedCompletion)
		spec.Completions, spec.Parallelism = new(int32(t.workers)), new(int32(t.workers))
		// A worker whose pods die too often is given up alone: the others go on with the list.
		spec.BackoffLimit, spec.BackoffLimitPerIndex = nil, spec.BackoffLimit
	}
	if s.deadline > 0 {
		job.Spec.ActiveDeadlineSeconds = new(seconds[int64](s.deadline))
	}
	if s.queue != "" {
		job.Spec.Suspend = new(true)
		job.Labels[kube.QueueLabel] = s.queue
		if _, set := job.Annotations[kube.MinParallelismAnnotation]; t.workers > 1 && !set {
			job.Annotations[kube.MinParallelismAnnotation] = "1" // one worker is enough to come to the end of a pack
		}
	}
	job, err := s.transformed(job)
	if err == nil {
		tellPlace(&job.Spec.Template.Spec)
	}
	return job, err
}

// failurePolicy says which ends of a pod use up a retry. The first matching
// rule counts: a pod that was killed because its node was drained ends with
// 137.
func failurePolicy(final []int32) *batchv1.PodFailurePolicy {
	policy := &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action:          batchv1.PodFailurePolicyActionIgnore,
		OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
	}}}
	if len(final) > 0 {
		policy.Rules = append(policy.Rules, batchv1.PodFailurePolicyRule{
			Action: batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				ContainerName: new(kube.ContainerName), Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: final,
			},
		})
	}
	return policy
}

// apply makes one of the user's changes, which may panic.
func apply(change func(*batchv1.Job) error, job *batchv1.Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the function given to k8s.Transform panicked: %v", p)
		}
	}()
	if err := change(job); err != nil {
		return fmt.Errorf("the function given to k8s.Transform failed: %w", err)
	}
	return nil
}

// transformed applies the user's changes, and keeps the names, labels and
// annotations by which mops finds a Job.
func (s *settings) transformed(job *batchv1.Job) (*batchv1.Job, error) {
	if len(s.transforms) == 0 {
		return job, nil
	}
	before := job.DeepCopy()
	for _, change := range s.transforms {
		if err := apply(change, job); err != nil {
			return nil, err
		}
	}
	if job.Name != before.Name || job.Namespace != before.Namespace {
		return nil, fmt.Errorf("the function given to k8s.Transform made %s/%s of %s/%s: see k8s.NamePrefix and k8s.Namespace instead",
			job.Namespace, job.Name, before.Namespace, before.Name)
	}
	if workerOf(&job.Spec.Template.Spec) == nil {
		return nil, errors.New("the function given to k8s.Transform removed the container " + kube.ContainerName)
	}
	if t := before.Spec.Completions; kube.Annotated(before.Annotations).Workers > 0 && (job.Spec.Completions == nil || *job.Spec.Completions != *t) {
		return nil, fmt.Errorf("the function given to k8s.Transform changed the completions of a Job of many calls: it has %d workers; see k8s.Pack and k8s.Limit instead", *t)
	}
	ours := map[string]string{kube.ManagedByLabel: kube.ManagedBy}
	job.Labels, job.Annotations = merged(job.Labels, before.Labels), merged(job.Annotations, before.Annotations)
	job.Spec.Template.Labels = merged(job.Spec.Template.Labels, ours)
	return job, nil
}

// merged are several maps in a new one; later ones win.
func merged(all ...map[string]string) map[string]string {
	sum := map[string]string{}
	for _, m := range all {
		maps.Copy(sum, m)
	}
	return sum
}

// seconds rounds up, so that a little is not nothing.
func seconds[N int32 | int64](d time.Duration) N {
	return N((max(d, 0) + time.Second - 1) / time.Second)
}

// unreachable says why pods cannot see a call's records: a file:// root is on
// this machine, unless a volume is mounted there. Pods would find the folder
// empty, and the call would seem to be somebody else's.
func unreachable(uri string, pod *corev1.PodSpec) error {
	rest, isFile := strings.CutPrefix(uri, "file://")
	if !isFile {
		return nil
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		path = rest
	}
	path, _, _ = strings.Cut(path, "/mops1/")
	mounted := slices.ContainsFunc(pod.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name != scratchVolume && strings.HasPrefix(path+"/", strings.TrimSuffix(m.MountPath, "/")+"/")
		})
	})
	if mounted {
		return nil
	}
	return fmt.Errorf("pods do not see the root: nothing is mounted in them at %s; mount a shared file system (k8s.Claim, and k8s.Root where it is elsewhere there), or use a cloud store", path)
}
