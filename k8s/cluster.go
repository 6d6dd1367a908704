package k8s

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/kubernetes"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // auth provider names that only tell what to use instead
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// clusters are the connections that executors share, by what names them.
type clusters struct {
	mu  sync.Mutex
	all map[clusterKey]*cluster
}

// ofProcess are those of all executors in this process.
var ofProcess clusters

type clusterKey struct{ kubeconfig, context string }

// cluster is a connection. Credentials that expire (exec plugins, token files)
// are renewed by client-go.
type cluster struct {
	name    string // for people: the context, or "the cluster of this pod"
	client  kubernetes.Interface
	idle    func()        // closes connections that nobody uses
	writes  chan struct{} // a place for each request that changes something
	streams atomic.Int64  // logs that are followed
	unshown atomic.Bool   // somebody was told that there are too many
	mute    atomic.Bool   // somebody was told that logs may not be read
	reached atomic.Bool   // it answered once

	mu      sync.Mutex
	watches map[string]*watch
}

// writesAtOnce bounds the requests of one process that create and delete: more
// at once do not make an API server faster.
const writesAtOnce = 32

// of returns the connection that an executor's settings name.
func (c *clusters) of(s *settings) (*cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := clusterKey{s.kubeconfig + "\x00" + os.Getenv(clientcmd.RecommendedConfigPathEnvVar), s.context}
	if found, ok := c.all[key]; ok {
		return found, nil
	}
	config, name, err := s.restConfig()
	if err != nil {
		return nil, err
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("the connection of %s makes no sense: %w", name, err)
	}
	client, err := kubernetes.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, fmt.Errorf("the connection of %s makes no sense: %w", name, err)
	}
	found := newCluster(name, client, transport)
	set(&c.all, key, found)
	return found, nil
}

func newCluster(name string, client kubernetes.Interface, transport *http.Client) *cluster {
	idle := func() {}
	if transport != nil {
		idle = transport.CloseIdleConnections
	}
	return &cluster{name: name, client: client, idle: idle, writes: make(chan struct{}, writesAtOnce)}
}

// restConfig is how to reach the cluster: as kubectl would, else as a pod does.
func (s *settings) restConfig() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if s.kubeconfig != "" {
		rules.ExplicitPath = s.kubeconfig
	}
	rules.WarnIfAllMissing = false
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: s.context})
	name := s.context
	if raw, err := loader.RawConfig(); err == nil && name == "" {
		name = raw.CurrentContext
	}
	config, err := loader.ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, "", errors.New("no cluster is known: there is no kubeconfig, and this process is not a pod of one; " +
			"get one (az aks get-credentials, gcloud container clusters get-credentials, aws eks update-kubeconfig), or name its file with KUBECONFIG or k8s.Kubeconfig")
	case err != nil:
		return nil, "", fmt.Errorf("the kubeconfig cannot be used; see `kubectl config get-contexts`: %w", err)
	}
	if name == "" {
		name = "the cluster of this pod"
	}
	// The server knows best how much it can take: it answers with 429 and a time,
	// which client-go keeps to.
	config.QPS = -1
	config.WarningHandler = &warnings{log: s.log()}
	config.UserAgent = "mops " + rest.DefaultKubernetesUserAgent()
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return config, name, nil
}

// warnings passes on what the cluster warns of (something deprecated, a policy that
// is only watched yet), each once.
type warnings struct {
	log  *slog.Logger
	told sync.Map
}

// HandleWarningHeader is called for each warning in an answer.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	if _, ok := w.told.LoadOrStore(text, true); !ok && text != "" {
		w.log.Warn("the cluster warns: " + text)
	}
}
