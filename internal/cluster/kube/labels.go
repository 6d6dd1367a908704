// Package kube is what the executor of package k8s and the tool both know of a
// cluster: how it is reached, what it must allow, by what a Job of mops is known,
// and how that Job is. It decides from what it is given; k8s makes the requests.
package kube

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// What mops labels its Jobs with, and their pods.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "mops"
	Selector       = ManagedByLabel + "=" + ManagedBy // what is watched
	ContainerName  = "worker"
)

// What Jobs of calls are annotated with, and labelled where the values may be
// labels.
const (
	domain             = "mops.trilliant.health/"
	FunctionAnnotation = domain + "function"
	MemoURIAnnotation  = domain + "memo-uri"
	LeaseAnnotation    = domain + "lease-id"
	RunAnnotation      = domain + "run-id"
	AttemptAnnotation  = domain + "attempt"
	ProgramRunLabel    = domain + "program-run" // the run of the program that wanted it
	MemoryAnnotation   = domain + "memory"
	WorkersAnnotation  = domain + "workers" // of a pack: how many share its calls

	// MemoryFromAnnotation says where the memory limit comes from, for people:
	// MemoryOption, if nothing else but that decided.
	MemoryFromAnnotation = domain + "memory-from"
	MemoryOption         = "k8s.Memory"

	// What Jobs are labelled with for those who count costs.
	UserLabel     = domain + "user"
	PipelineLabel = domain + "pipeline"
	ProgramLabel  = domain + "program"

	// CallerAnnotation is namespace/name of the Job whose program made this one.
	CallerAnnotation = domain + "caller"

	// OrchestratorAnnotation marks pods of programs that call, rather than work.
	OrchestratorAnnotation = domain + "orchestrator"
)

// Annotations name the run that a Job works on.
func Annotations(inv executor.Invocation) map[string]string {
	all := map[string]string{
		FunctionAnnotation: inv.Function,
		MemoURIAnnotation:  inv.MemoURI,
		LeaseAnnotation:    inv.LeaseID,
		RunAnnotation:      inv.RunID,
		AttemptAnnotation:  strconv.Itoa(inv.Attempt),
	}
	if inv.Workers > 0 {
		all[WorkersAnnotation] = strconv.Itoa(inv.Workers)
	}
	return all
}

// Annotated is the run that annotations name; of a Job that was launched, not
// called, it has the run id alone.
func Annotated(annotations map[string]string) (inv executor.Invocation) {
	inv.Function, inv.MemoURI = annotations[FunctionAnnotation], annotations[MemoURIAnnotation]
	inv.LeaseID, inv.RunID = annotations[LeaseAnnotation], annotations[RunAnnotation]
	inv.Attempt, _ = strconv.Atoi(annotations[AttemptAnnotation])
	inv.Workers, _ = strconv.Atoi(annotations[WorkersAnnotation])
	return inv
}

// UsesMops says that a pod's program is one that uses mops: a worker, or an
// orchestrator.
func UsesMops(pod *corev1.Pod) bool {
	return pod.Annotations[MemoURIAnnotation] != "" || pod.Annotations[OrchestratorAnnotation] != ""
}

// Container is the name of a pod's container that matters.
func Container(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		if c.Name == ContainerName {
			return c.Name
		}
	}
	if usual := pod.Annotations["kubectl.kubernetes.io/default-container"]; usual != "" {
		return usual
	}
	return pod.Spec.Containers[0].Name
}
