// Package k8s tests the executor of package mops-go/k8s where Jobs run: on the cluster of this
// machine, real and simulated. Tests that need no cluster are in that package. Its
// files import it by dot, so that they read like tests beside the code; they are
// here since programs that import it would fetch the cluster otherwise.
package k8s
