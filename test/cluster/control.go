package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	loopback  = "127.0.0.1"
	apiServer = "kube-apiserver"
	kwok      = "kwok"

	// services is where cluster addresses of services are, the first of which is
	// the API server's.
	services     = "10.96.0.0/16"
	firstService = "10.96.0.1"
)

// controllers are those that Jobs need; see kube-controller-manager --help.
var controllers = strings.Join([]string{
	"job-controller", "cronjob-controller", "ttl-after-finished-controller",
	"serviceaccount-controller", "serviceaccount-token-controller", "root-ca-certificate-publisher-controller",
	"namespace-controller", "resourcequota-controller", "garbage-collector-controller", "pod-garbage-collector-controller",
	"node-lifecycle-controller", "taint-eviction-controller",
}, ",")

// startControlPlane starts etcd, the API server, the controller manager and the
// scheduler, and returns when they serve. The arguments are more of the controller
// manager's.
func (c *Cluster) startControlPlane(ctx context.Context, args ...string) error {
	if err := c.writeCredentials(); err != nil {
		return err
	}
	var err error
	if c.config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return err
	}
	unlimited := c.RESTConfig()
	unlimited.QPS = -1
	if c.client, err = kubernetes.NewForConfig(unlimited); err != nil {
		return err
	}
	client, peer := "http://"+hostPort(loopback, c.endpoint.etcdPort), "http://"+hostPort(loopback, c.endpoint.peer)
	err = c.run("etcd",
		"--name=etcd", "--data-dir="+c.slot.dir+"/etcd", "--log-level=warn", "--unsafe-no-fsync",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=etcd="+peer)
	if err != nil {
		return err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	// The default limits allow three Jobs in a second.
	err = c.run("kube-controller-manager", append(args,
		"--kubeconfig="+c.kubeconfig("kube-controller-manager"), "--secure-port=0", "--leader-elect=false",
		"--controllers="+controllers, "--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.pki.pem("service-accounts"), "--root-ca-file="+c.pki.crt("ca"),
		"--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-job-syncs=30")...)
	if err != nil {
		return err
	}
	err = c.run("kube-scheduler",
		"--kubeconfig="+c.kubeconfig("kube-scheduler"), "--secure-port=0", "--leader-elect=false",
		"--kube-api-qps=1000", "--kube-api-burst=2000")
	if err != nil {
		return err
	}
	return c.until(ctx, "the default service account", func(ctx context.Context) error {
		_, err := c.client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	err := c.run(apiServer,
		"--bind-address="+c.endpoint.bind, "--advertise-address="+c.endpoint.api, "--secure-port="+strconv.Itoa(c.endpoint.apiPort),
		"--etcd-servers=http://"+hostPort(loopback, c.endpoint.etcdPort),
		"--service-cluster-ip-range="+services,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--tls-cert-file="+c.pki.crt(apiServer), "--tls-private-key-file="+c.pki.pem(apiServer),
		"--client-ca-file="+c.pki.crt("ca"),
		"--kubelet-client-certificate="+c.pki.crt("kube-apiserver-client"), "--kubelet-client-key="+c.pki.pem("kube-apiserver-client"),
		"--kubelet-certificate-authority="+c.pki.crt("ca"), "--kubelet-preferred-address-types=InternalIP,Hostname",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.pki.pem("service-accounts"), "--service-account-signing-key-file="+c.pki.pem("service-accounts"),
		"--max-requests-inflight=1000", "--max-mutating-requests-inflight=500")
	if err != nil {
		return err
	}
	return c.until(ctx, "the API server", c.serves)
}

// writeCredentials makes the keys of all programs, and their kubeconfigs.
func (c *Cluster) writeCredentials() (err error) {
	dir := c.slot.dir + "/pki"
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if c.pki, err = newAuthority(dir); err != nil {
		return err
	}
	if _, err := c.pki.newKey("service-accounts"); err != nil {
		return err
	}
	err = c.pki.server(apiServer, "localhost", loopback, c.endpoint.api, firstService,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return err
	}
	if err := c.pki.client("kube-apiserver-client", "kube-apiserver", "system:masters"); err != nil {
		return err
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		if _, err := c.user(name, "system:"+name); err != nil {
			return err
		}
	}
	c.Kubeconfig, err = c.user("admin", "admin", "system:masters")
	return err
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, fmt.Sprint(port)) }
