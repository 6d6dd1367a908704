package kube

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	flag "github.com/spf13/pflag"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

var rbacCommand = cli.Command{
	Name:    "k8s rbac",
	Usage:   []string{"k8s rbac [--service-account NAME | --user NAME | --group NAME] [flags]"},
	Purpose: "print the smallest permissions that whoever calls needs, for kubectl apply",
	Teach: `
It prints a Role with what a program needs whose calls run as Jobs in one namespace,
and a RoleBinding that grants it: to a service account, which it makes, for a program
in a pod (mops k8s orchestrate); to a user or a group, for one on a laptop. Workers
need nothing of this, unless their functions make calls that run as Jobs themselves:
the same service account does for them, given by k8s.ServiceAccount.

The namespace itself has to be there: a service account in it is the first thing that
is made. Whoever makes namespaces by calling gets --create-namespace, which adds a
ClusterRole. mops k8s cp also needs --copy. Where Jobs wait in queues of Kueue,
--kueue lets them see why. Nothing is sent to the cluster: it only prints.`,
	Example: `
mops k8s rbac --namespace weather | kubectl apply -f -
mops k8s rbac --namespace weather --group weather-team --copy | kubectl apply -f -`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := rbacOptions{}
		o.define(flags)
		flags.StringVar(&o.account, "service-account", "", "who may: the service account of this `NAME`; "+usualAccount+" if nobody is named")
		flags.StringVar(&o.user, "user", "", "who may: the user of this `NAME`, as the cluster calls them")
		flags.StringVar(&o.group, "group", "", "who may: the group of this `NAME`")
		flags.BoolVar(&o.createNamespace, "create-namespace", false, "also to make namespaces, for the whole cluster")
		flags.BoolVar(&o.copy, "copy", false, "also to copy files to and from pods")
		flags.BoolVar(&o.kueue, "kueue", false, "also to see why Jobs wait in queues of Kueue")
		return o.run
	},
	Complete: cli.OneOf[string](),
}

// usualAccount is the service account of orchestrators, and what roles are called.
const usualAccount = "mops"

type rbacOptions struct {
	ClusterFlags
	account, user, group string
	createNamespace      bool
	copy, kueue          bool
}

func (o *rbacOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if !line.Empty() {
		return cli.Usagef("k8s rbac takes no arguments, only flags")
	}
	named := 0
	for _, name := range []string{o.account, o.user, o.group} {
		if name != "" {
			named++
		}
	}
	if named > 1 {
		return cli.Usagef("--service-account, --user and --group do not go together: print one after the other")
	}
	namespace := o.namespace
	if namespace == "" {
		target, err := o.target(a)
		if err != nil {
			return err
		}
		connection, err := target.Connect(slog.Default())
		if err != nil {
			return cli.Usagef("the namespace is not known, give it with --namespace: %v", err)
		}
		namespace = connection.Namespace
	}
	objects := o.objects(namespace)
	if a.JSON {
		return a.PrintJSON(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	}
	for i, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(a.Stdout, "---")
		}
		if _, err := a.Stdout.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// objects are what kubectl is to apply, in this order.
func (o *rbacOptions) objects(namespace string) (objects []any) {
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: o.account}
	switch {
	case o.user != "":
		subject = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: o.user}
	case o.group != "":
		subject = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: o.group}
	case o.account == "":
		subject.Name = usualAccount
	}
	if subject.Kind == rbacv1.ServiceAccountKind {
		objects = append(objects, &corev1.ServiceAccount{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: subject.Name},
		})
	}
	rbac := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
	}
	permissions := kube.Permissions()
	name := usualAccount
	if o.copy {
		permissions = slices.Concat(permissions, kube.CopyPermissions())
		name += "-copy"
	}
	if o.kueue {
		permissions = slices.Concat(permissions, kube.QueuePermissions())
		name += "-kueue"
	}
	// Several may have the role: what binds it is called after who has it.
	binding := name + "-" + subject.Name
	if subject.Name == name {
		binding = name
	}
	objects = append(objects,
		&rbacv1.Role{TypeMeta: rbac("Role"), ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Rules: kube.Rules(permissions)},
		&rbacv1.RoleBinding{
			TypeMeta: rbac("RoleBinding"), ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: binding},
			Subjects: []rbacv1.Subject{subject}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		})
	if o.createNamespace {
		const role = usualAccount + "-namespaces"
		objects = append(objects,
			&rbacv1.ClusterRole{TypeMeta: rbac("ClusterRole"), ObjectMeta: metav1.ObjectMeta{Name: role}, Rules: kube.Rules(kube.NamespacePermissions())},
			&rbacv1.ClusterRoleBinding{
				TypeMeta: rbac("ClusterRoleBinding"), ObjectMeta: metav1.ObjectMeta{Name: role + "-" + namespace + "-" + subject.Name},
				Subjects: []rbacv1.Subject{subject}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			})
	}
	return objects
}

// manifest is a Job as YAML that kubectl takes, without what only the cluster
// says.
func manifest(job *batchv1.Job) ([]byte, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(job)
	if err != nil {
		return nil, err
	}
	delete(fields, "status")
	return yaml.Marshal(fields)
}
