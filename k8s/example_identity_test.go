package k8s_test

import (
	"fmt"

	"github.com/TrilliantHealth/mops-go/k8s"
)

// Pods have the identity of Azure's that a service account is tied to.
func ExampleWorkloadIdentity() {
	cluster := k8s.New(
		k8s.Namespace("forecast"), k8s.Image("registry.example.com/forecast:1.4"),
		k8s.WorkloadIdentity("worker"),
	)
	fmt.Println(cluster.Name()) // for mops.On
	// Output: k8s
}

// Pods have the role of AWS's, or the service account of Google's, that a service
// account is tied to.
func ExampleServiceAccount() {
	cluster := k8s.New(
		k8s.Namespace("forecast"), k8s.Image("registry.example.com/forecast:1.4"),
		k8s.ServiceAccount("worker"),
	)
	fmt.Println(cluster.Name()) // for mops.On
	// Output: k8s
}
