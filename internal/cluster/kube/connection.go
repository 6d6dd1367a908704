package kube

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // auth provider names that only tell what to use instead
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Target names a cluster and a namespace in it, as users do; what is "" is found as
// package k8s says.
type Target struct{ Kubeconfig, Context, Namespace string }

// Keys of the settings that say which cluster and namespace are meant.
const (
	KubeconfigKey = "kubeconfig"
	ContextKey    = "context"
	NamespaceKey  = "namespace"
)

// IsPlace reports whether a setting says where Jobs go.
func IsPlace(key string) bool {
	return key == KubeconfigKey || key == ContextKey || key == NamespaceKey
}

// Or is the target, completed by settings. In a pod of mops they do not count: the
// program is in its cluster already.
func (t Target) Or(settings map[string][]string) Target {
	if InPod() {
		return t
	}
	for key, field := range map[string]*string{KubeconfigKey: &t.Kubeconfig, ContextKey: &t.Context, NamespaceKey: &t.Namespace} {
		if values := settings[key]; *field == "" && len(values) > 0 {
			*field = values[0]
		}
	}
	return t
}

// InPod reports whether this process is in a pod that mops made.
func InPod() bool { return os.Getenv(PodVariable) != "" }

// Connection is how a cluster is reached, and where Jobs go.
type Connection struct {
	Cluster   string       // for people: the context, or "the cluster of this pod"
	Namespace string       // may be absent yet
	Config    *rest.Config // a copy
}

// Connect reads the kubeconfig, but connects to nothing. What the cluster warns of
// is logged.
func (t Target) Connect(log *slog.Logger) (Connection, error) {
	namespace, err := t.JobNamespace()
	if err != nil {
		return Connection{}, err
	}
	config, name, err := t.RESTConfig(log)
	if err != nil {
		return Connection{}, err
	}
	return Connection{Cluster: name, Namespace: namespace, Config: config}, nil
}

// RESTConfig is how to reach the cluster, as kubectl would, else as a pod does; and
// its name for people.
func (t Target) RESTConfig(log *slog.Logger) (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if rules.ExplicitPath = t.Kubeconfig; strings.HasPrefix(t.Kubeconfig, "~/") { // in a config file no shell replaces it
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, "", fmt.Errorf("the kubeconfig %s cannot be found: %w", t.Kubeconfig, err)
		}
		rules.ExplicitPath = filepath.Join(home, t.Kubeconfig[2:])
	}
	rules.WarnIfAllMissing = false
	name := t.Context
	if t.isOwn() {
		name = "" // a pod knows its cluster by no context
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: name})
	if raw, err := loader.RawConfig(); err == nil && name == "" {
		name = raw.CurrentContext
	}
	config, err := loader.ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err) && Here().Handle() != "":
		return nil, "", fmt.Errorf("this pod, of Job %s, has no token of its cluster: functions whose calls run as Jobs need a service account that may make them; "+
			"make it with `mops k8s rbac -n %s | kubectl apply -f -`, and give it to their workers: k8s.ServiceAccount(\"mops\")", Here().Handle(), Here().Namespace)
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
	config.WarningHandler = &warnings{log: log}
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
