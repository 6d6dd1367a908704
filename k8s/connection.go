package k8s

import (
	"k8s.io/client-go/rest"
)

// Connection is how an executor reaches its cluster, and where its Jobs go: for
// tools that look at the same things.
type Connection struct {
	Cluster   string       // for people: the context, or "the cluster of this pod"
	Namespace string       // may be absent yet
	Config    *rest.Config // a copy
}

// Connect says which cluster and which namespace an executor with these options
// uses. It reads the kubeconfig, but connects to nothing.
func Connect(options ...Option) (Connection, error) {
	e := New(options...)
	if e.settings.err != nil {
		return Connection{}, e.settings.err
	}
	namespace, err := e.namespace()
	if err != nil {
		return Connection{}, err
	}
	config, name, err := e.settings.restConfig()
	if err != nil {
		return Connection{}, err
	}
	return Connection{Cluster: name, Namespace: namespace, Config: config}, nil
}
