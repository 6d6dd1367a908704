package kube

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Permission is something that whoever runs calls must be allowed to do.
type Permission struct {
	Group    string // of the API: "", "batch"
	Resource string // "jobs", "pods/log"
	Verb     string // "create"
	Cluster  bool   // for the whole cluster, not in one namespace
	For      string // what it is good for: "to start workers"
}

// Permissions are what whoever calls needs in the namespace of its Jobs, as few as
// will do: `mops k8s rbac` prints them as a Role, `mops doctor --k8s` asks for each.
// Workers need none, unless they call in turn.
func Permissions() []Permission {
	return slices.Concat(
		each("batch", "jobs", false, "create", "to start workers", "get", "to find workers again",
			"list", "to see how workers are", "watch", "to see how workers are", "delete", "to stop workers"),
		each("", "pods", false, "list", "to see why workers do not start or how they died", "watch", "to see why workers do not start or how they died",
			"delete", "to end the pods of workers that have ended or fallen silent"),
		each("", "pods/log", false, "get", "to show what workers print"),
		each("", "events", false, "list", "to say why a pod cannot be made"),
	)
}

// NamespacePermissions are what it takes where the namespace is absent and is to be
// made; see k8s.CreateNamespace.
func NamespacePermissions() []Permission {
	return each("", "namespaces", true, "create", "to make the namespace where it is absent")
}

// QueuePermissions are what it takes to say why a Job waits in a queue of Kueue's.
// Without them it waits all the same.
func QueuePermissions() []Permission {
	return each(kueueGroup, "workloads", false, "list", "to say why Jobs wait in a queue")
}

// CopyPermissions are what `mops k8s cp` needs beside [Permissions].
func CopyPermissions() []Permission {
	return slices.Concat(
		each("", "pods", false, "get", "to find the pod"),
		each("", "pods/exec", false, "create", "to run tar in the pod", "get", "to run tar in the pod"),
	)
}

// each takes verbs and what they are for, in turn.
func each(group, resource string, cluster bool, verbs ...string) (all []Permission) {
	for verb := range slices.Chunk(verbs, 2) {
		all = append(all, Permission{Group: group, Resource: resource, Verb: verb[0], Cluster: cluster, For: verb[1]})
	}
	return all
}

// Rules are permissions as a Role or a ClusterRole has them.
func Rules(permissions []Permission) (rules []rbacv1.PolicyRule) {
	for _, p := range permissions {
		i := slices.IndexFunc(rules, func(r rbacv1.PolicyRule) bool { return r.APIGroups[0] == p.Group && r.Resources[0] == p.Resource })
		if i < 0 {
			i = len(rules)
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{p.Group}, Resources: []string{p.Resource}})
		}
		if !slices.Contains(rules[i].Verbs, p.Verb) {
			rules[i].Verbs = append(rules[i].Verbs, p.Verb)
		}
	}
	return rules
}
