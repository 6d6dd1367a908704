package k8s

import (
	"fmt"
	"os"
	"os/user"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// inCluster is where a pod finds the name of its namespace.
const inCluster = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

var readFile = os.ReadFile

// namespace is where Jobs go.
func (e *Executor) namespace() (string, error) {
	s := &e.settings
	name := s.namespace
	if name == "" {
		name = s.defaultNamespace()
	}
	if why := validation.IsDNS1123Label(name); len(why) > 0 {
		return "", fmt.Errorf("%q is no namespace: %s", name, strings.Join(why, "; "))
	}
	return name, nil
}

// defaultNamespace is the pod's in a pod, else the user's.
func (s *settings) defaultNamespace() string {
	if s.kubeconfig == "" && s.context == "" && os.Getenv("KUBECONFIG") == "" {
		if own, err := readFile(inCluster); err == nil {
			return strings.TrimSpace(string(own))
		}
	}
	return namespaceOf(accountName())
}

// accountName is the user's name; "" for one that has none, as in many containers.
func accountName() string {
	if account, err := user.Current(); err == nil && account.Username != "" {
		return account.Username
	}
	return os.Getenv("USER")
}

// namespaceOf makes a namespace of an account's name: "ANALYTICS\Ada.King" is
// "ada-king". Names that begin with "kube-" are the cluster's own.
func namespaceOf(account string) string {
	if _, after, domain := strings.Cut(account, `\`); domain {
		account = after
	}
	account, _, _ = strings.Cut(account, "@")
	name := slug(account)
	if name == "" {
		return "mops"
	}
	if strings.HasPrefix(name, "kube-") {
		name = "user-" + name
	}
	return strings.TrimRight(name[:min(len(name), mostName)], "-")
}
