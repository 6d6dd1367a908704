package kube

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// What a pod of mops knows of itself, from its environment.
const (
	JobVariable       = "MOPS_K8S_JOB"
	PodVariable       = "MOPS_K8S_POD"
	NamespaceVariable = "MOPS_K8S_NAMESPACE"
	FunctionVariable  = "MOPS_K8S_FUNCTION"        // which a worker computes
	ImageVariable     = "MOPS_K8S_IMAGE"           // its own, for the Jobs that it makes
	PlatformsVariable = "MOPS_K8S_IMAGE_PLATFORMS" // of that image, with spaces between
	ClusterVariable   = "MOPS_K8S_CLUSTER"         // the context by which whoever made the pod reaches its cluster
)

// Inside is the Job of mops that a process runs in.
type Inside struct {
	Namespace, Job string // "" outside of a pod of mops
	Function       string // "" if the process is no worker
}

// Here is where this process runs.
func Here() Inside {
	return Inside{os.Getenv(NamespaceVariable), os.Getenv(JobVariable), os.Getenv(FunctionVariable)}
}

// Handle is "namespace/job"; "" outside of a pod of mops.
func (i Inside) Handle() string {
	if i.Namespace == "" || i.Job == "" {
		return ""
	}
	return i.Namespace + "/" + i.Job
}

// Crowded is what to do if Jobs of this process find no room, beside the advice: a
// worker holds room itself while it waits for them.
func (i Inside) Crowded(advice string) string {
	if i.Function == "" || i.Handle() == "" {
		return advice
	}
	return fmt.Sprintf("this worker of %s (Job %s) holds room itself while it waits: %s; or %s", i.Function, i.Handle(), RoomForChildren, advice)
}

// RoomForChildren is what to do if workers hold the room that the Jobs wait for
// which they made.
const RoomForChildren = "let fewer functions that make calls run side by side (k8s.Limit), " +
	"let those that they call run in another namespace or queue (k8s.Namespace, k8s.Queue), or have more room for both"

// HowToGrant is how somebody gets the permissions in a namespace that the cluster
// refused.
func HowToGrant(namespace string, refused error) string {
	_, account, ok := strings.Cut(refused.Error(), `User "system:serviceaccount:`)
	_, account, colon := strings.Cut(account, ":")
	account, _, quote := strings.Cut(account, `"`)
	if ok && colon && quote {
		return fmt.Sprintf("this grants it to the pod's service account: mops k8s rbac -n %s --service-account %s | kubectl apply -f - (k8s.ServiceAccount gives workers another account)",
			namespace, account)
	}
	return fmt.Sprintf("`mops k8s rbac` prints what is needed, `kubectl auth can-i --list -n %s` what there is", namespace)
}

// isOwn says that the target is the cluster that this process is a pod of.
func (t Target) isOwn() bool {
	return t.Kubeconfig == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" &&
		(t.Context == "" || t.Context == os.Getenv(ClusterVariable))
}
