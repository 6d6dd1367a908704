package k8stest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Nested is what a function is to call from its pod.
type Nested struct {
	Work    Work
	Place   string
	Account string // of the function's own pod; "" means none
	Context string // of the kubeconfig of whoever calls at the top
}

// at is where the inner function runs. It says neither image nor namespace.
func (n Nested) at() *k8s.Executor {
	return k8s.New(
		k8s.CPU("10m"), k8s.Memory("64Mi"), k8s.HostPath(there, n.Place), k8s.RunAs(0, 0), k8s.Retries(0),
		k8s.Context(n.Context),
	)
}

// Both is where the two functions ran.
type Both struct{ Outer, Inner string }

var callNested = mops.Define("k8stest/nested", func(ctx context.Context, n Nested) (Both, error) {
	inner, err := doWork.With(mops.On(n.at())).Call(ctx, n.Work)
	return Both{os.Getenv("MOPS_K8S_POD"), inner.Pod}, err
})

// runNested is the program under test.
func runNested(ctx context.Context) error {
	var calls Calls
	if err := enginetest.Arguments(&calls); err != nil {
		return err
	}
	at := calls.executor().With(k8s.Context(calls.Nested.Context))
	if calls.Nested.Account != "" {
		at = at.With(k8s.ServiceAccount(calls.Nested.Account))
	}
	both, err := callNested.With(mops.On(at)).Call(ctx, calls.Nested)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(both)
}

// A function whose worker is a Job makes a Job itself: with the pod's own image,
// in the pod's own cluster and namespace, and with the rights that mops k8s rbac
// prints. Without them, the error says what to do.
func TestNestedJobs(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0, nil)
	core, rbac := r.cluster.Client().CoreV1(), r.cluster.Client().RbacV1()
	for _, account := range []string{"mops", "reader"} {
		made := &corev1.ServiceAccount{ObjectMeta: v1.ObjectMeta{Name: account}}
		if _, err := core.ServiceAccounts(r.calls.Namespace).Create(t.Context(), made, v1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	role := &rbacv1.Role{ObjectMeta: v1.ObjectMeta{Name: "mops"}, Rules: kube.Rules(kube.Permissions())}
	if _, err := rbac.Roles(r.calls.Namespace).Create(t.Context(), role, v1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: v1.ObjectMeta{Name: "mops"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "mops"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: r.calls.Namespace, Name: "mops"}},
	}
	if _, err := rbac.RoleBindings(r.calls.Namespace).Create(t.Context(), binding, v1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	start := func(account string) *enginetest.Program {
		calls := r.calls
		calls.Nested = Nested{Work: Work{Name: "inner of " + account}, Place: calls.Place, Account: account, Context: "mops-test"}
		return enginetest.Start(t, calls.Place, "nested", calls, "KUBECONFIG="+r.cluster.Kubeconfig, "MOPS_ROOT="+r.root)
	}
	for account, says := range map[string]string{
		"":       "has no token of its cluster: functions whose calls run as Jobs need a service account",
		"reader": fmt.Sprintf("mops k8s rbac -n %s --service-account reader | kubectl apply -f -", r.calls.Namespace),
	} {
		p := start(account)
		if code := p.Wait(longest); code == 0 || !strings.Contains(p.Stderr.String(), says) {
			t.Errorf("with the account %q: exit code %d, want the error %q; standard error:\n%s", account, code, says, p.Stderr)
		}
	}
	p := start("mops")
	var both Both
	if code := p.Wait(longest); code != 0 || json.Unmarshal([]byte(p.Stdout.String()), &both) != nil || both.Outer == both.Inner ||
		!strings.HasPrefix(both.Outer, "mops-k8stest-nested-") || !strings.HasPrefix(both.Inner, "mops-k8stest-work-") {
		t.Fatalf("exit code %d, %+v; standard error:\n%s", code, both, p.Stderr)
	}
	jobs, err := r.cluster.Client().BatchV1().Jobs(r.calls.Namespace).List(t.Context(), v1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs.Items {
		caller, inner := job.Annotations[kube.CallerAnnotation], strings.HasPrefix(both.Inner, job.Name)
		if inner && (caller == "" || !strings.HasPrefix(r.calls.Namespace+"/"+both.Outer, caller) || job.Spec.Template.Spec.Containers[0].Image != r.calls.Image) {
			t.Errorf("the inner Job was made by %q, with the image %s", caller, job.Spec.Template.Spec.Containers[0].Image)
		}
	}
}
