package k8sdoctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/doctor"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// permissions asks for each thing that whoever calls has to do.
func (e *exam) permissions(ctx context.Context) {
	for _, p := range kube.Permissions() {
		rule := fmt.Sprintf("You may %s %s in namespace %s, %s.", p.Verb, p.Resource, e.Namespace, p.For)
		if !e.check(p.Verb+" "+p.Resource, rule, e.grant(), func() (string, error) { return "", e.may(ctx, p) }) {
			e.denied[p] = true
		}
	}
}

// may says that a permission is missing.
func (e *exam) may(ctx context.Context, p kube.Permission) error {
	resource, sub, _ := strings.Cut(p.Resource, "/")
	attributes := &authorizationv1.ResourceAttributes{Verb: p.Verb, Group: p.Group, Resource: resource, Subresource: sub}
	if !p.Cluster {
		attributes.Namespace = e.Namespace
	}
	review, err := e.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
		&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes}}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return fmt.Errorf("the cluster does not say: %w", err)
	case review.Status.Allowed:
		return nil
	case review.Status.Reason != "":
		return errors.New("you may not: " + review.Status.Reason)
	}
	return errors.New("you may not")
}

// grant is how somebody else gives what is missing.
func (e *exam) grant() string {
	who := "--user " + e.user.Username
	// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects
	if account, ok := strings.CutPrefix(e.user.Username, "system:serviceaccount:"+e.Namespace+":"); ok {
		who = "--service-account " + account
	} else if e.user.Username == "" {
		who = "--user NAME"
	}
	return fmt.Sprintf("have it granted; this prints what: mops k8s rbac -n %s %s", e.Namespace, who)
}

// namespace tries to create a Job, without creating it: the cluster then says
// whether the namespace is there, and whether Jobs are admitted to it.
func (e *exam) namespace(ctx context.Context) {
	for denied := range e.denied {
		if denied.Resource == "jobs" && denied.Verb == "create" {
			e.report.LeftOut = append(e.report.LeftOut, "namespace", "job")
			return
		}
	}
	e.doing("job")
	image := e.Image
	if image == "" {
		image = "mops-doctor"
	}
	job, err := k8s.Program{Settings: e.By}.Job(ctx, append([]k8s.Option{k8s.Image(image)}, e.Jobs...)...)
	if err == nil {
		_, err = e.Client.BatchV1().Jobs(e.Namespace).Create(ctx, job, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	status, _ := errors.AsType[*apierrors.StatusError](err)
	e.absent = apierrors.IsNotFound(err) && status.ErrStatus.Details != nil && status.ErrStatus.Details.Kind == "namespaces"
	const rule = "The namespace is there, or calls may make it."
	if e.absent {
		e.check("namespace", rule,
			fmt.Sprintf("have somebody run kubectl create namespace %s, or name one that is there: --namespace, k8s.Namespace", e.Namespace), func() (string, error) {
				for _, p := range kube.NamespacePermissions() {
					if err := e.may(ctx, p); err != nil {
						return "", fmt.Errorf("there is no namespace %s, and you may not %s %s: %w", e.Namespace, p.Verb, p.Resource, err)
					}
				}
				return fmt.Sprintf("there is no namespace %s yet; the first call makes it", e.Namespace), nil
			})
		return
	}
	if err == nil || !apierrors.IsForbidden(err) {
		e.say(doctor.Line{Name: "namespace", Verdict: doctor.Pass, Rule: rule, Found: "namespace " + e.Namespace + " is there"})
	}
	e.check("job", "The cluster would take a Job like those of calls.",
		"change what the message names, by the options of k8s.New; or, where a policy of the cluster refuses it, ask who made that", func() (string, error) { return "", err })
}

// identities are what clouds annotate a service account with.
//
// https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html,
// https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html,
// https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
var identities = []string{"azure.workload.identity/client-id", "eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account"}

// identity looks at the service account that pods are to have.
func (e *exam) identity(ctx context.Context) {
	job, err := k8s.Program{Settings: e.By}.Job(ctx, append([]k8s.Option{k8s.Image("any")}, e.Jobs...)...)
	if err != nil || e.absent {
		return // said already
	}
	name := job.Spec.Template.Spec.ServiceAccountName
	if name == "" {
		return
	}
	account, err := e.Client.CoreV1().ServiceAccounts(e.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		e.report.LeftOut = append(e.report.LeftOut, "identity")
		return
	}
	e.check("identity", "The service account of pods is there.", "create it, or name another one: --service-account, k8s.ServiceAccount, k8s.WorkloadIdentity", func() (string, error) {
		if err != nil {
			return "", err
		}
		for _, key := range identities {
			if value := account.Annotations[key]; value != "" {
				return fmt.Sprintf("service account %s is tied to %s (%s)", name, value, key), nil
			}
		}
		return fmt.Sprintf("service account %s is there; it is tied to no identity of a cloud by an annotation", name), nil
	})
}
