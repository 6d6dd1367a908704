package k8s

import (
	"cmp"
	"slices"
)

// azureIdentity is how pods come to an identity of Azure's.
type azureIdentity struct {
	account    string   // of Workload Identity
	namespaces []string // that have it; none: all, if there is an account
	binding    string   // of the older pod identity, elsewhere
}

// covers says that a namespace has Workload Identity.
func (a azureIdentity) covers(namespace string) bool {
	return slices.Contains(a.namespaces, namespace) || a.account != "" && len(a.namespaces) == 0
}

// configured is the identity with what the config file says of what options do not.
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

// ServiceAccount sets the service account of pods, and gives them its token of the
// cluster's API. Where a cloud ties identities to service accounts (AWS: IRSA and
// Pod Identity, Google: Workload Identity), that is all there is to say.
func ServiceAccount(name string) Option { return func(s *settings) { s.serviceAccount = name } }

// WorkloadIdentity gives pods an identity of Azure's by Workload Identity: the
// service account that is tied to it and the label that asks for its token. Where
// namespaces are named, only in these; see PodIdentity for the others. What is not
// named here, the config file may say: workload_identity_account and
// workload_identity_namespaces in its table [k8s].
// https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
func WorkloadIdentity(serviceAccount string, namespaces ...string) Option {
	return func(s *settings) { s.azure.account, s.azure.namespaces = serviceAccount, namespaces }
}

// PodIdentity gives pods an identity of Azure's by the older AAD Pod Identity, the
// label aadpodidbinding, in namespaces that WorkloadIdentity is not for. In the config
// file it is aad_pod_identity, in the table [k8s].
func PodIdentity(binding string) Option { return func(s *settings) { s.azure.binding = binding } }
