package kube

import (
	"fmt"
	"os"
	"os/user"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// MostName is the length of a name that is also used as a label (RFC 1123).
const MostName = validation.DNS1123LabelMaxLength

// inCluster is where a pod finds the name of its namespace.
const inCluster = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

var readFile = os.ReadFile

// JobNamespace is where Jobs go.
func (t Target) JobNamespace() (string, error) {
	name := t.Namespace
	if name == "" {
		name = t.defaultNamespace()
	}
	if why := validation.IsDNS1123Label(name); len(why) > 0 {
		return "", fmt.Errorf("%q is no namespace: %s", name, strings.Join(why, "; "))
	}
	return name, nil
}

// defaultNamespace is the pod's in a pod, else the user's.
func (t Target) defaultNamespace() string {
	if t.isOwn() {
		if own, err := readFile(inCluster); err == nil {
			return strings.TrimSpace(string(own))
		}
	}
	return namespaceOf(accountName())
}

// UserVariable names the user for whom a pod works: Jobs that it makes are for the same.
const UserVariable = "MOPS_K8S_USER"

// User is for whom this process works; "" if nobody knows.
func User() string {
	if name := os.Getenv(UserVariable); name != "" {
		return name
	}
	return accountName()
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
	name := Slug(account)
	if name == "" {
		return "mops"
	}
	if strings.HasPrefix(name, "kube-") {
		name = "user-" + name
	}
	return strings.TrimRight(name[:min(len(name), MostName)], "-")
}

// Slug makes a text that a name may contain: lower-case letters and digits, with
// single hyphens in between.
func Slug(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(text) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
		gap = false
	}
	return b.String()
}
