package doctest

import (
	"os"
	"os/user"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Run(m)) }

// onCluster has what the page on Kubernetes takes for granted: a cluster, a
// registry, a root that pods reach, and a Secret with its credentials in the
// namespace of the one who runs the test.
func onCluster(t *testing.T) (variables []string) {
	t.Helper()
	c := cluster.Real(t)
	server := emulator.S3(t)
	account, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	client, namespace := c.Client().CoreV1(), account.Username
	secret := &corev1.Secret{ObjectMeta: v1.ObjectMeta{Name: "store"}, StringData: map[string]string{}}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
		secret.StringData[name] = os.Getenv(name)
		variables = append(variables, name+"="+os.Getenv(name))
	}
	_, err = client.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: v1.ObjectMeta{Name: namespace}}, v1.CreateOptions{})
	if err == nil {
		_, err = client.Secrets(namespace).Create(t.Context(), secret, v1.CreateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) { // another page has made it
		t.Fatal(err)
	}
	return append(variables, "KUBECONFIG="+c.Kubeconfig, "REGISTRY="+c.Registry, "ROOT="+server.At(t, c.Forward(t, server.Address())))
}
