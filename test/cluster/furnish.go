package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/test/emulator/s3"
)

const storePort = 9000

// StoreSecret is the Secret with the credentials of the store; see [Cluster.Furnish].
const StoreSecret = "store"

// Furnish makes what the first call of docs/kubernetes.md needs: a store in memory
// that pods and this machine reach, and in the namespace of this user's Jobs, which it
// returns, a Secret with its credentials. The variables, NAME=value, are for whoever
// calls. It is called once for a cluster. Where there are no containers, the variable
// of the kubeconfig is all.
func (c *Cluster) Furnish(ctx context.Context) (namespace string, variables []string, err error) {
	if namespace, err = (kube.Target{Kubeconfig: c.Kubeconfig}).JobNamespace(); err != nil {
		return "", nil, err
	}
	variables = []string{"KUBECONFIG=" + c.Kubeconfig}
	if c.Registry == "" {
		return namespace, variables, nil
	}
	store, address := s3.New(), hostPort(c.Host, storePort)
	if err := c.serve("the store", address, store); err != nil {
		return "", nil, err
	}
	// The name is new, as the store is: else this user's cache has hits of the last one.
	root, err := store.NewRoot("http://"+address, "mops-"+strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return "", nil, err
	}
	variables = append(variables, "REGISTRY="+c.Registry, "ROOT="+root)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: StoreSecret}, StringData: map[string]string{
		"AWS_ACCESS_KEY_ID": "mops", "AWS_SECRET_ACCESS_KEY": "nobody-verifies-it", "AWS_REGION": "us-east-1",
	}}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
		variables = append(variables, name+"="+secret.StringData[name])
	}
	core := c.client.CoreV1()
	_, err = core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err == nil || apierrors.IsAlreadyExists(err) {
		_, err = core.Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{})
	}
	if err != nil {
		return "", nil, fmt.Errorf("make the Secret %s in namespace %s: %w", StoreSecret, namespace, err)
	}
	return namespace, variables, nil
}
