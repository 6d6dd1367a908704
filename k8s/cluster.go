package k8s

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// clusters are the connections that all executors of this process share, by
// kubeconfig and context.
var clusters struct {
	sync.Mutex
	all map[clusterKey]*cluster
}

type clusterKey struct{ kubeconfig, context string }

// cluster is a connection. client-go renews credentials that expire (exec
// plugins, token files).
type cluster struct {
	name    string // for people: the context, or "the cluster of this pod"
	client  kubernetes.Interface
	kueue   kube.Kueue
	idle    func() // closes idle connections
	writes  *writes
	streams atomic.Int64 // logs that are being followed
	unshown atomic.Bool  // the log said that there are too many
	mute    atomic.Bool  // the log said that there is no permission to read logs
	reached atomic.Bool  // it answered once

	mu      sync.Mutex
	watches map[string]*watch
}

// connect returns the connection that the settings name.
func (s *settings) connect() (*cluster, error) {
	clusters.Lock()
	defer clusters.Unlock()
	key := clusterKey{s.target.Kubeconfig + "\x00" + os.Getenv(clientcmd.RecommendedConfigPathEnvVar), s.target.Context}
	if found, ok := clusters.all[key]; ok {
		return found, nil
	}
	config, name, err := s.target.RESTConfig(s.log())
	if err != nil {
		return nil, err
	}
	w := &writes{bound: writesAtFirst}
	config.Wrap(func(through http.RoundTripper) http.RoundTripper { return watched{through, w} })
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("the connection of %s makes no sense: %w", name, err)
	}
	client, err := kubernetes.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, fmt.Errorf("the connection of %s makes no sense: %w", name, err)
	}
	found := &cluster{name: name, client: client, kueue: kube.Kueue{Client: client.Discovery().RESTClient()}, idle: func() { utilnet.CloseIdleConnectionsFor(transport.Transport) }, writes: w}
	set(&clusters.all, key, found)
	return found, nil
}
