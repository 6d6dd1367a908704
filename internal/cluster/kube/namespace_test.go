package kube

import (
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
	for want, target := range map[string]Target{
		"team-a":                   {},
		"given":                    {Namespace: "given"},
		namespaceOf(accountName()): {Context: "other"}, // another cluster than the pod's
	} {
		if got, err := target.JobNamespace(); got != want || err != nil {
			t.Errorf("the namespace is %q, %v; want %q", got, err, want)
		}
	}
	if got, err := (Target{Namespace: "no/namespace"}).JobNamespace(); err == nil {
		t.Errorf("the namespace is %q", got)
	}
}
