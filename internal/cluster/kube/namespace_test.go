package kube

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestNamespaceOfAccounts(t *testing.T) {
	for account, want := range map[string]string{
		"ada": "ada", "Ada.King": "ada-king", `ANALYTICS\ada`: "ada", "ada@example.com": "ada", "CICD-Runner": "cicd-runner",
		"": "mops", "_": "mops", "kube-system": "user-kube-system", "1000": "1000", "ädä": "d", strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62),
	} {
		got := namespaceOf(account)
		if got != want || len(validation.IsDNS1123Label(got)) > 0 {
			t.Errorf("namespaceOf(%q) = %q, want %q", account, got, want)
		}
	}
}

func TestNamespaceOfAPod(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	defer func(was func(string) ([]byte, error)) { readFile = was }(readFile)
	readFile = func(string) ([]byte, error) { return []byte("team-a\n"), nil }
	t.Setenv(ClusterVariable, "own")
	for target, want := range map[Target]string{
		{}:                   "team-a",
		{Context: "own"}:     "team-a", // as whoever made the pod calls its cluster
		{Namespace: "given"}: "given",
		{Context: "other"}:   namespaceOf(accountName()), // another cluster than the pod's
	} {
		if got, err := target.JobNamespace(); got != want || err != nil {
			t.Errorf("the namespace is %q, %v; want %q", got, err, want)
		}
	}
	if got, err := (Target{Namespace: "no/namespace"}).JobNamespace(); err == nil {
		t.Errorf("the namespace is %q", got)
	}
}

func TestHowToGrant(t *testing.T) {
	for refused, want := range map[string]string{
		`jobs.batch is forbidden: User "system:serviceaccount:weather:reader" cannot create resource "jobs"`: "mops k8s rbac -n weather --service-account reader | kubectl apply -f -",
		`jobs.batch is forbidden: User "ada" cannot create resource "jobs"`:                                  "`mops k8s rbac` prints what is needed",
	} {
		if got := HowToGrant("weather", errors.New(refused)); !strings.Contains(got, want) {
			t.Errorf("%s: %s", refused, got)
		}
	}
}
