package tooltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

func TestMain(m *testing.M) {
	code := cluster.Run(m)
	os.RemoveAll(programs)
	os.Exit(code)
}

// programs is where what the tests build lies.
var programs string

// built builds the programs, for this machine and for pods.
var built = sync.OnceValue(func() (err error) {
	if programs, err = os.MkdirTemp("", "mops-tooltest-"); err != nil {
		return err
	}
	for name, from := range map[string]struct{ module, folder string }{
		"mops": {"../..", "./cmd/mops"}, "gostats": {"../..", "./examples/gostats"}, "program": {".", "./testdata/program"},
	} {
		command := exec.Command("go", "build", "-tags", "cluster", "-o", filepath.Join(programs, name), from.folder)
		command.Dir = from.module
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	return nil
})

// rig is a namespace of the real cluster, and a user who may do nothing yet.
type rig struct {
	*testing.T
	*cluster.Cluster
	namespace, user string
	environment     []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, cluster.Real(t))
}

func rigOn(t *testing.T, c *cluster.Cluster) *rig {
	t.Helper()
	if err := built(); err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, Cluster: c, namespace: c.Namespace(t)}
	r.user = "user-of-" + r.namespace
	kubeconfig, err := c.User(r.user)
	if err != nil {
		t.Fatal(err)
	}
	r.environment = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "MOPS_PROGRESS=off", "MOPS_CACHE=" + t.TempDir()}
	return r
}

// tool is a command line of the tool's.
func (r *rig) tool(args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(programs, "mops"), args...)
	command.Env = r.environment
	return command
}

// run runs a command line in the rig's namespace and wants an exit code.
func (r *rig) run(code int, args ...string) (stdout, stderr string) {
	r.Helper()
	i := 2 // behind the name of the command
	if args[0] == "doctor" {
		i = 1
	}
	args = append(append(append([]string{}, args[:i]...), "-n", r.namespace), args[i:]...)
	command := r.tool(args...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != code) || err == nil && code != 0 {
		r.Fatalf("mops %q: %v, want exit code %d\n%s%s", args, err, code, out.String(), errs.String())
	}
	if strings.Contains(errs.String(), ".go:") {
		r.Errorf("a library wrote to the terminal: %s", errs.String())
	}
	return out.String(), errs.String()
}

// grant does what kubectl apply would with what mops k8s rbac prints, and returns when
// the API server has heard of it.
func (r *rig) grant(args ...string) {
	r.Helper()
	out, _ := r.run(0, append([]string{"k8s", "rbac", "--json"}, args...)...)
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		r.Fatal(err)
	}
	core, rbac, ctx := r.Client().CoreV1(), r.Client().RbacV1(), r.Context()
	rules := map[string][]rbacv1.PolicyRule{} // by the kind and name of the role
	var bindings []rbacv1.RoleBinding
	for _, item := range list.Items {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(item, nil, nil)
		if err != nil {
			r.Fatal(err)
		}
		switch o := object.(type) {
		case *corev1.ServiceAccount:
			_, err = core.ServiceAccounts(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		case *rbacv1.Role:
			rules["Role "+o.Name] = o.Rules
			_, err = rbac.Roles(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		case *rbacv1.RoleBinding:
			bindings = append(bindings, *o)
			_, err = rbac.RoleBindings(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		case *rbacv1.ClusterRole:
			rules["ClusterRole "+o.Name] = o.Rules
			_, err = rbac.ClusterRoles().Create(ctx, o, metav1.CreateOptions{})
			r.Cleanup(func() { rbac.ClusterRoles().Delete(context.WithoutCancel(ctx), o.Name, metav1.DeleteOptions{}) })
		case *rbacv1.ClusterRoleBinding:
			bindings = append(bindings, rbacv1.RoleBinding{RoleRef: o.RoleRef, Subjects: o.Subjects})
			_, err = rbac.ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
			r.Cleanup(func() {
				rbac.ClusterRoleBindings().Delete(context.WithoutCancel(ctx), o.Name, metav1.DeleteOptions{})
			})
		default:
			r.Fatalf("what is a %T?", o)
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			r.Fatal(err)
		}
	}
	for _, binding := range bindings {
		for _, subject := range binding.Subjects {
			who := subject.Name
			if subject.Kind == rbacv1.ServiceAccountKind {
				who = "system:serviceaccount:" + subject.Namespace + ":" + subject.Name
			}
			for _, rule := range rules[binding.RoleRef.Kind+" "+binding.RoleRef.Name] {
				r.awaitRights(who, binding.Namespace, rule)
			}
		}
	}
}

// awaitRights waits until somebody has the rights of a rule, in a namespace or, where
// that is "", in all.
func (r *rig) awaitRights(who, namespace string, rule rbacv1.PolicyRule) {
	r.Helper()
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			resource, part, _ := strings.Cut(resource, "/")
			for _, verb := range rule.Verbs {
				review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User: who, ResourceAttributes: &authorizationv1.ResourceAttributes{
						Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: part,
					},
				}}
				r.eventually(fmt.Sprintf("%s may %s %s", who, verb, resource), func() bool {
					answer, err := r.Client().AuthorizationV1().SubjectAccessReviews().Create(r.Context(), review, metav1.CreateOptions{})
					if err != nil {
						r.Fatal(err)
					}
					return answer.Status.Allowed
				})
			}
		}
	}
}

// image pushes one of the programs.
func (r *rig) image(name string, options ...image.Option) string {
	r.Helper()
	reference, _, err := image.FromSelf(r.Registry+"/"+name, append(options, image.Insecure(), image.Binary(filepath.Join(programs, name)))...)(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return reference
}

// eventually waits for what the cluster does by itself.
func (r *rig) eventually(what string, is func() bool) {
	r.Helper()
	for begun := time.Now(); time.Since(begun) < 5*time.Minute; {
		if is() {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.Context().Done():
			r.Fatal(r.Context().Err())
		}
	}
	r.Fatalf("it did not come about that %s", what)
}

// left are the names of Jobs and pods that there are.
func (r *rig) left() (names []string) {
	r.Helper()
	jobs, err := r.Client().BatchV1().Jobs(r.namespace).List(r.Context(), metav1.ListOptions{})
	if err != nil {
		r.Fatal(err)
	}
	for _, job := range jobs.Items {
		names = append(names, "job "+job.Name)
	}
	pods, err := r.Client().CoreV1().Pods(r.namespace).List(r.Context(), metav1.ListOptions{})
	if err != nil {
		r.Fatal(err)
	}
	for _, pod := range pods.Items {
		names = append(names, "pod "+pod.Name)
	}
	return names
}
