package kube

import (
	"context"
	"strings"

	flag "github.com/spf13/pflag"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/k8s"
)

var orchestrateCommand = cli.Command{
	Name:    "k8s orchestrate",
	Usage:   []string{"k8s orchestrate [--json] [flags] IMAGE [-- ARGUMENT…]"},
	Purpose: "run a program whose calls run as Jobs as a Job itself, near the cluster",
	Teach: `
The image holds a program that uses mops, as its entry point. It runs with a service
account that may make Jobs (mops k8s rbac prints what that needs), connects to the
cluster that it is in, and its workers go into its own namespace and run its own
image, unless it names another one with k8s.Image. --root, or MOPS_ROOT if that is
set here and no folder, is its root.

For calls to run as Jobs, the program has to say so: mops.On(k8s.New(…)), or
mops.Executor("k8s", k8s.New(…)) and --env MOPS_EXECUTOR=k8s.

Ctrl-C deletes the Job, and the program stops its workers first. With --detach it goes
on without you: mops k8s jobs shows it. If its node is drained or lost, it is started
again and finds what runs already. All else is as for mops k8s launch.`,
	Example: `
mops k8s rbac --namespace weather | kubectl apply -f -
mops k8s orchestrate -n weather --root s3://bucket/mops example.com/forecast:1.4 -- nightly
mops k8s orchestrate -n weather --detach --file account.yaml example.com/forecast:1.4`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := orchestrateOptions{launchOptions: launchOptions{}}
		o.define(flags)
		flags.StringVar(&o.root, "root", "", "the `ROOT` of the program's calls, as its pod sees it")
		return o.run
	},
	Values: map[string]cli.Completer{"root": roots.CompleteRoot},
}

type orchestrateOptions struct {
	launchOptions
	root string
}

func (o *orchestrateOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	image, err := cli.Line{Args: line.Args}.One("the image")
	if err != nil {
		return err
	}
	options, err := o.Options()
	if err != nil {
		return err
	}
	first := []k8s.Option{k8s.Image(image), k8s.NamePrefix("mops-orchestrate"), k8s.Orchestrator(usualAccount)}
	if root := o.root; root != "" {
		first = append(first, k8s.Env("MOPS_ROOT", root))
	} else if root, _ := a.Lookup("MOPS_ROOT"); strings.Contains(root, "://") && !strings.HasPrefix(root, "file:") && !strings.HasPrefix(root, "mem:") {
		first = append(first, k8s.Env("MOPS_ROOT", root))
	}
	return o.launch(ctx, a, k8s.Program{Name: o.name, Args: line.Program}, append(first, options...), func(job *batchv1.Job) error {
		return o.account(ctx, a, job)
	})
}

// account sees to it that the Job's service account is there: without it, the Job
// would get no pod. Whoever may not look is not kept from trying.
func (o *orchestrateOptions) account(ctx context.Context, a *cli.App, job *batchv1.Job) error {
	c, err := Connect(a, o.ClusterFlags)
	if err != nil {
		return err
	}
	name := job.Spec.Template.Spec.ServiceAccountName
	_, err = c.Client.CoreV1().ServiceAccounts(job.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return cli.NotFoundf("there is no service account %s in %s; make it, with what it may do: mops k8s rbac --namespace %s --service-account %s | kubectl apply -f -",
			name, c.where(), job.Namespace, name)
	case err == nil || apierrors.IsForbidden(err):
		return nil
	}
	return c.explain(err, "")
}
