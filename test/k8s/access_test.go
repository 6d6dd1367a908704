package k8s_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// person is a user of a cluster with some rights and no others.
type person struct {
	*testing.T
	cluster    *testcluster.Cluster
	name       string
	kubeconfig string
}

func newPerson(t *testing.T, c *testcluster.Cluster) *person {
	t.Helper()
	name := fmt.Sprintf("person-%d", calls.Add(1))
	kubeconfig, err := c.User(name)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, c, name, kubeconfig}
}

// may gives a right, as "create jobs.batch", in a namespace; "" is all of them.
func (p *person) may(namespace string, rights ...string) *person {
	p.Helper()
	for _, right := range rights {
		verb, resource, _ := strings.Cut(right, " ")
		resource, group, _ := strings.Cut(resource, ".")
		rules := []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}}
		meta := metav1.ObjectMeta{GenerateName: p.name + "-"}
		subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: p.name}}
		rbac, ctx, options := p.cluster.Client().RbacV1(), p.Context(), metav1.CreateOptions{}
		var err error
		if namespace == "" {
			role, failed := rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, options)
			if err = failed; err == nil {
				_, err = rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
					ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role.Name}}, options)
			}
		} else {
			role, failed := rbac.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, options)
			if err = failed; err == nil {
				_, err = rbac.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
					ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: role.Name}}, options)
			}
		}
		if err != nil {
			p.Fatal(err)
		}
		p.awaitRight(&authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: group, Resource: strings.TrimSuffix(resource, "/log"), Subresource: subresource(resource)})
	}
	return p
}

func subresource(resource string) string { _, after, _ := strings.Cut(resource, "/"); return after }

// awaitRight waits until the API server knows of a right: it learns of it later.
func (p *person) awaitRight(right *authorizationv1.ResourceAttributes) {
	p.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: p.name, ResourceAttributes: right}}
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		answer, err := p.cluster.Client().AuthorizationV1().SubjectAccessReviews().Create(p.Context(), review, metav1.CreateOptions{})
		if err != nil {
			p.Fatal(err)
		}
		if answer.Status.Allowed {
			return
		}
	}
	p.Fatalf("%s has not got the right to %s %s", p.name, right.Verb, right.Resource)
}

// enough is all that the executor needs where Jobs run.
var enough = rights(kube.Permissions())

func rights(permissions []kube.Permission) (rights []string) {
	for _, p := range permissions {
		rights = append(rights, strings.TrimSuffix(p.Verb+" "+p.Resource+"."+p.Group, "."))
	}
	return rights
}

// without is enough but for these.
func without(missing ...string) (rest []string) {
	for _, right := range enough {
		if !strings.Contains(strings.Join(missing, ","), right) {
			rest = append(rest, right)
		}
	}
	return rest
}

// A namespace that is there needs no permission to look at it, or to create it.
func TestNamespaceOfSomebodyWhoSeesNone(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, 0))
	ada := newPerson(t, c).may(namespace, enough...)
	e = e.With(Kubeconfig(ada.kubeconfig))
	if exit := await(t, start(t, e, newCall())); exit.Err != nil {
		t.Error(exit.Err)
	}
	if err := start(t, e.With(ends(0, time.Hour)), newCall()).Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNamespaceIsCreatedByWhoMay(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, 0))
	absent := namespace + "-new"
	ada := newPerson(t, c).may("", enough...).may("", rights(kube.NamespacePermissions())...)
	w := start(t, e.With(Kubeconfig(ada.kubeconfig), Namespace(absent)), newCall())
	t.Cleanup(func() {
		if err := c.Client().CoreV1().Namespaces().Delete(context.Background(), absent, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	if exit := await(t, w); exit.Err != nil {
		t.Error(exit.Err)
	}
}

// What is missing is named at once, and what to do about it.
func TestMissingPermissions(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, 0))
	absent := namespace + "-absent"
	for name, test := range map[string]struct {
		ada       *person
		namespace string
		says      []string
	}{
		"to create Jobs": {newPerson(t, c).may(namespace, without("create jobs.batch")...), namespace,
			[]string{"no permission to create jobs.batch in namespace " + namespace, "mops k8s rbac"}},
		"to list Jobs":  {newPerson(t, c).may(namespace, without("list jobs.batch")...), namespace, []string{`cannot list resource "jobs"`, "mops k8s rbac"}},
		"to watch Jobs": {newPerson(t, c).may(namespace, without("watch jobs.batch")...), namespace, []string{`cannot watch resource "jobs"`, "mops k8s rbac"}},
		"to list pods":  {newPerson(t, c).may(namespace, without("list pods")...), namespace, []string{`cannot list resource "pods"`, "mops k8s rbac"}},
		"to watch pods": {newPerson(t, c).may(namespace, without("watch pods")...), namespace, []string{`cannot watch resource "pods"`, "mops k8s rbac"}},
		"to create the namespace": {newPerson(t, c).may("", enough...), absent,
			[]string{"the namespace " + absent + " is absent", "no permission to create it", "create namespaces", "kubectl create namespace " + absent, "k8s.Namespace"}},
		"anywhere": {newPerson(t, c), absent,
			[]string{"perhaps there is no namespace " + absent, "k8s.Namespace", "mops k8s rbac"}},
		"in a namespace that is known to be absent": {newPerson(t, c).may("", "get namespaces"), absent,
			[]string{"there is no namespace " + absent, "k8s.Namespace", "mops k8s rbac"}},
		"in a namespace that is known to be there": {newPerson(t, c).may("", "get namespaces"), namespace, []string{"no permission to watch", "mops k8s rbac"}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := e.With(Kubeconfig(test.ada.kubeconfig), Namespace(test.namespace)).Start(t.Context(), newCall())
			for _, says := range test.says {
				failsWith(t, err, executor.LaunchRejected, says)
			}
			if took := time.Since(began); took >= 10*time.Second { // as long as there is patience with what may pass
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestMissingPermissionToDelete(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, time.Hour))
	ada := newPerson(t, c).may(namespace, without("delete jobs.batch")...)
	w := start(t, e.With(Kubeconfig(ada.kubeconfig)), newCall())
	t.Cleanup(w.Release)
	if err := w.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "no permission to delete jobs.batch in namespace "+namespace) {
		t.Error(err)
	}
}

// Who may not read logs is told so once, and calls work.
func TestMissingPermissionToReadLogs(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, ends(0, time.Second), Logs(1))
	ada := newPerson(t, c).may(namespace, without("get pods/log")...)
	var told syncbuf.Buffer
	e = e.With(Kubeconfig(ada.kubeconfig), Logger(slog.New(slog.NewTextHandler(&told, nil))))
	var workers []executor.Worker
	for range 3 {
		inv := newCall()
		inv.Log = func([]byte) {}
		workers = append(workers, start(t, e, inv))
	}
	began := time.Now()
	for _, w := range workers {
		if exit := await(t, w); exit.Err != nil || exit.Code != 0 {
			t.Errorf("%d, %v", exit.Code, exit.Err)
		}
	}
	if took := time.Since(began); took >= 3*10*time.Second { // each would wait so long for the rest of a log
		t.Errorf("it took %v", took)
	}
	if text := told.String(); strings.Count(text, "no permission to get pods/log") != 1 || !strings.Contains(text, "kept in the store") {
		t.Errorf("it was told:\n%s", text)
	}
}
