package k8s

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/TrilliantHealth/mops-go/executor"
	testcluster "github.com/TrilliantHealth/mops-go/internal/cluster"
)

// needed is all that the executor needs in its namespace.
var needed = []rbacv1.PolicyRule{
	{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create", "get", "list", "watch", "delete"}},
	{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
	{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}},
}

// userWith is a user who may do this in a namespace, and nothing else.
func userWith(t *testing.T, c *testcluster.Cluster, namespace string, rules []rbacv1.PolicyRule) (kubeconfig string) {
	t.Helper()
	name := fmt.Sprintf("user-%d", calls.Add(1))
	kubeconfig, err := c.User(name)
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	if _, err := c.Client().RbacV1().Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Client().RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: []rbacv1.Subject{{Kind: "User", Name: name}}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: name},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	knows(t, kubeconfig, namespace, rules[0])
	return kubeconfig
}

// knows waits until the API server knows of a rule for a user: it learns of it by a
// watch of its own.
func knows(t *testing.T, kubeconfig, namespace string, rule rbacv1.PolicyRule) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Group: rule.APIGroups[0], Resource: rule.Resources[0], Verb: rule.Verbs[0]},
	}}
	for range 100 {
		answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Status.Allowed {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the API server does not know of the rule")
}

// Each permission that is missing is named, at once.
func TestPermissions(t *testing.T) {
	e, c, namespace := simulated(t, ends(0, time.Second))
	for _, test := range []struct{ without, says string }{
		{"create", "no permission to create jobs.batch"},
		{"list", "no permission to watch jobs and pods"},
	} {
		var rules []rbacv1.PolicyRule
		for _, rule := range needed {
			rule.Verbs = strings.Fields(strings.ReplaceAll(strings.Join(rule.Verbs, " "), test.without, ""))
			if len(rule.Verbs) > 0 {
				rules = append(rules, rule)
			}
		}
		_, err := e.With(Kubeconfig(userWith(t, c, namespace, rules))).Start(t.Context(), newCall())
		failsWith(t, err, executor.LaunchRejected, test.says)
		failsWith(t, err, executor.LaunchRejected, "mops k8s rbac")
	}
	all := e.With(Kubeconfig(userWith(t, c, namespace, needed)))
	if exit := await(t, start(t, all, newCall())); exit.Err != nil {
		t.Error(exit.Err)
	}
	if err := start(t, all.With(ends(0, time.Hour)), newCall()).Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A namespace that is absent takes a permission of its own.
func TestNamespaceMayNotBeCreated(t *testing.T) {
	e, c, namespace := simulated(t)
	name := fmt.Sprintf("everywhere-%d", calls.Add(1))
	kubeconfig, err := c.User(name)
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Name: namespace}
	client := c.Client().RbacV1()
	if _, err := client.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: needed}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, Subjects: []rbacv1.Subject{{Kind: "User", Name: name}}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: namespace},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	absent := namespace + "-absent"
	knows(t, kubeconfig, absent, needed[0])
	_, err = e.With(Kubeconfig(kubeconfig), Namespace(absent)).Start(t.Context(), newCall())
	failsWith(t, err, executor.LaunchRejected, "kubectl create namespace "+absent)
}

// Who may not read logs does without them, and is told once.
func TestLogsMayNotBeRead(t *testing.T) {
	said := &journal{}
	e, c, namespace := onReal(t, does("lines", "LINES", "3 1ms"), said.option())
	rules := slices.DeleteFunc(slices.Clone(needed), func(r rbacv1.PolicyRule) bool { return r.Resources[0] == "pods/log" })
	e = e.With(Kubeconfig(userWith(t, c, namespace, rules)))
	for range 2 {
		if _, exit, printed := run(t, e, newCall()); exit.Err != nil || printed != "" {
			t.Errorf("%v; it printed %q", exit.Err, printed)
		}
	}
	if text := said.String(); strings.Count(text, "cannot be shown") != 1 || !strings.Contains(text, "no permission to get pods/log") {
		t.Errorf("it said\n%s", text)
	}
}
