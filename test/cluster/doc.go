// Package cluster runs Kubernetes on this machine, for tests and for trying things:
// its own programs, without Docker, in one of two tiers.
//
// Real has one node that runs containers: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubelet, containerd, runc and CNI, and a
// registry to pull from. They live in namespaces of their own (mounts, network,
// processes), which end when the process that started them does, in whatever way.
// That needs Linux and root.
//
// Simulated has the same control plane and nodes that KWOK plays: pods run and
// complete at once, without containers. It needs no root.
//
// Every cluster has a slot of its own, so several run side by side. It is a room for
// tests, which imports of mops what finds processes and the cache folder, what makes
// images, and the proxy that fails.
package cluster
