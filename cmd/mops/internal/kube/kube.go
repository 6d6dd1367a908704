// Package kube has the commands that are about a Kubernetes cluster, and connects to
// one: to launch programs as Jobs, to list, watch and stop them, to copy files to and
// from their pods, and to say which permissions all that takes.
package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"

	"github.com/go-logr/logr"
	flag "github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// Commands are those of mops k8s.
var Commands = cli.Group{
	Name:    "k8s",
	Purpose: "run and see Jobs on a Kubernetes cluster; help k8s lists how",
	About:   "mops k8s runs and shows Jobs on a Kubernetes cluster.\n",
	More: `
mops help k8s COMMAND tells all about one. mops doctor --k8s examines the cluster.
It is that of the current context, as for kubectl; the namespace is named after your
account, unless --namespace says otherwise, or the table [k8s] of the config file, or
MOPS_K8S_NAMESPACE. In a pod, both are the pod's.
`,
	Commands: []cli.Command{jobsCommand, stopCommand, launchCommand, orchestrateCommand, copyCommand, rbacCommand},
}

// ClusterFlags say which cluster is meant, and which namespace.
type ClusterFlags struct{ context, namespace string }

func (f *ClusterFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&f.context, "context", "", "the `CONTEXT` of the kubeconfig, if not the current one")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "the `NAMESPACE`, if not that of your account's name")
}

func (f *ClusterFlags) options() (options []k8s.Option) {
	if f.context != "" {
		options = append(options, k8s.Context(f.context))
	}
	if f.namespace != "" {
		options = append(options, k8s.Namespace(f.namespace))
	}
	return options
}

// Cluster is a cluster as commands see it.
type Cluster struct {
	kube.Connection
	Client kubernetes.Interface
}

// target is the cluster that the flags name, else variables, else the config file.
func (f *ClusterFlags) target(a *cli.App) (kube.Target, error) {
	said, err := Settings(a)
	return kube.Target{Context: f.context, Namespace: f.namespace}.Or(said.Environ).Or(said.File), err
}

// Settings are what the config file and variables say of Jobs.
func Settings(a *cli.App) (said executor.Settings, err error) {
	said.File, said.Environ, err = roots.Executors(a, "k8s")
	return said, err
}

// Connect makes a client; nothing is sent yet.
func Connect(a *cli.App, f ClusterFlags) (*Cluster, error) {
	quiet()
	target, err := f.target(a)
	if err != nil {
		return nil, err
	}
	connection, err := target.Connect(slog.Default())
	if err != nil {
		return nil, err
	}
	make := a.Client
	if make == nil {
		make = func(c *rest.Config) (kubernetes.Interface, error) { return kubernetes.NewForConfig(c) }
	}
	connection.Config.WarningHandler = rest.NoWarnings{}
	client, err := make(connection.Config)
	if err != nil {
		return nil, fmt.Errorf("the connection to %s makes no sense: %w", connection.Cluster, err)
	}
	return &Cluster{connection, client}, nil
}

// quiet keeps client-go from writing on the terminal by itself.
func quiet() { klog.SetLogger(logr.Discard()) }

// explain adds to an error of the cluster's what to do about it. The command
// takes permissions of that name from mops k8s rbac.
func (c *Cluster) explain(err error, rbacFlags string) error {
	if err == nil {
		return nil
	}
	_, isURL := errors.AsType[*url.Error](err)
	_, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w; somebody who may has to grant it: mops k8s rbac --namespace %s%s prints what is needed", err, c.Namespace, rbacFlags)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s does not know who you are: %w; log in again (az login, gcloud auth login, aws sso login), or get a new kubeconfig", c.Cluster, err)
	case isURL || isNet || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer at %s: %w; is the cluster running, and is this the right context (kubectl config get-contexts), network or VPN?", c.Cluster, c.Config.Host, err)
	}
	return err
}
