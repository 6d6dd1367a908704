package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/TrilliantHealth/mops-go/internal/kube"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// clusterGroup is what the names of commands begin with that are about a cluster.
const clusterGroup = "k8s"

func (c command) onCluster() bool { return strings.HasPrefix(c.name, clusterGroup+" ") }

// clusterOverview lists the commands of the group, and returns the exit code.
func (a *app) clusterOverview(asked bool) int {
	w, code := io.Writer(a.text), exitOK
	if !asked {
		w, code = a.stderr, exitUsage
	}
	fmt.Fprint(w, `mops k8s runs and shows Jobs on a Kubernetes cluster.

Usage
  mops k8s COMMAND [flags] [arguments]

Commands
`)
	table(w, "  ", purposes(command.onCluster), "")
	fmt.Fprint(w, `
mops help k8s COMMAND tells all about one. mops doctor --k8s examines the cluster.
It is that of the current context, as for kubectl; the namespace is named after your
account, unless --namespace says otherwise. In a pod, both are the pod's.
`)
	a.text.Flush()
	return code
}

// clusterFlags say which cluster is meant, and which namespace.
type clusterFlags struct{ context, namespace string }

func (f *clusterFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&f.context, "context", "", "the `CONTEXT` of the kubeconfig, if not the current one")
	flags.StringVar(&f.namespace, "namespace", "", "the `NAMESPACE`, if not that of your account's name")
	flags.StringVar(&f.namespace, "n", "", "the same: `NAMESPACE`")
}

func (f *clusterFlags) options() (options []k8s.Option) {
	if f.context != "" {
		options = append(options, k8s.Context(f.context))
	}
	if f.namespace != "" {
		options = append(options, k8s.Namespace(f.namespace))
	}
	return options
}

// cluster is a cluster as commands see it.
type cluster struct {
	kube.Connection
	client kubernetes.Interface
}

// connect makes a client; nothing is sent yet.
func (a *app) connect(f clusterFlags) (*cluster, error) {
	quiet()
	connection, err := kube.Target{Context: f.context, Namespace: f.namespace}.Connect(slog.Default())
	if err != nil {
		return nil, err
	}
	make := a.client
	if make == nil {
		make = func(c *rest.Config) (kubernetes.Interface, error) { return kubernetes.NewForConfig(c) }
	}
	connection.Config.WarningHandler = rest.NoWarnings{}
	client, err := make(connection.Config)
	if err != nil {
		return nil, fmt.Errorf("the connection to %s makes no sense: %w", connection.Cluster, err)
	}
	return &cluster{connection, client}, nil
}

// quiet keeps client-go from writing on the terminal by itself.
func quiet() { klog.SetLogger(logr.Discard()) }

// explain adds to an error of the cluster's what to do about it. The command
// takes permissions of that name from mops k8s rbac.
func (c *cluster) explain(err error, rbacFlags string) error {
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
