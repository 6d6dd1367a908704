//go:build cluster

// With the build tag cluster, MOPS_EXECUTOR=k8s runs each call as a Job. A program
// without it need not compile the clients of Kubernetes and of three clouds.

package main

import (
	"os"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/k8s"

	_ "github.com/TrilliantHealth/mops-go/blob/azureblob" // roots that pods reach, too
	_ "github.com/TrilliantHealth/mops-go/blob/gcsblob"
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
)

// The image is this program, pushed to the repository that GOSTATS_REPOSITORY
// names. Credentials of the store come from the Secret gostats, if pods are not
// somebody by themselves.
func init() {
	options = append(options, mops.Executor("k8s", k8s.New(
		k8s.ImageFrom(image.FromSelf(os.Getenv("GOSTATS_REPOSITORY"))),
		k8s.CPU("100m"), k8s.Memory("256Mi"),
		k8s.EnvFromSecret("gostats"),
	)))
}
