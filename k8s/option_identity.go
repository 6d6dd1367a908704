package k8s

import (
	"cmp"
	"slices"
)

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

// configured completes the identity by that of the config file.
func (a azureIdentity) configured(file map[string]any) azureIdentity {
	account, _ := file["workload_identity_account"].(string)
	namespaces, _ := file["workload_identity_namespaces"].([]string)
	binding, _ := file["aad_pod_identity"].(string)
	if len(a.namespaces) == 0 {
		a.namespaces = namespaces
	}
	a.account, a.binding = cmp.Or(a.account, account), cmp.Or(a.binding, binding)
	return a
}

// ServiceAccount sets the service account of pods, and gives them its token of
// the cluster's API. If the cloud ties identities to service accounts (AWS:
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
