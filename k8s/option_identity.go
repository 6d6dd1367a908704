package k8s

// azureIdentity is how pods come to an identity of Azure's.
type azureIdentity struct {
	account    string   // of Workload Identity
	namespaces []string // that have it; none: all
	binding    string   // of the older pod identity, elsewhere
}

// ServiceAccount sets the service account of pods, and gives them its token of the
// cluster's API. Where a cloud ties identities to service accounts (AWS: IRSA and
// Pod Identity, Google: Workload Identity), that is all there is to say.
func ServiceAccount(name string) Option { return func(s *settings) { s.serviceAccount = name } }

// WorkloadIdentity gives pods an identity of Azure's by Workload Identity: the
// service account that is tied to it and the label that asks for its token. Where
// namespaces are named, only in these; see PodIdentity for the others.
// https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
func WorkloadIdentity(serviceAccount string, namespaces ...string) Option {
	return func(s *settings) { s.azure.account, s.azure.namespaces = serviceAccount, namespaces }
}

// PodIdentity gives pods an identity of Azure's by the older AAD Pod Identity, the
// label aadpodidbinding, in namespaces that WorkloadIdentity is not for.
func PodIdentity(binding string) Option { return func(s *settings) { s.azure.binding = binding } }
