package cluster

import (
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// Behind is a proxy before the API server, which may fail, and the path of an
// administrator's kubeconfig that leads through it. It ends with the test.
func (c *Cluster) Behind(tb testing.TB) (proxy *faultproxy.Proxy, kubeconfig string) {
	tb.Helper()
	return c.BehindAs(tb, c.Kubeconfig)
}

// BehindAs is Behind for the user of another kubeconfig.
func (c *Cluster) BehindAs(tb testing.TB, as string) (proxy *faultproxy.Proxy, kubeconfig string) {
	tb.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", as)
	if err != nil {
		tb.Fatal(err)
	}
	through, err := rest.TransportFor(config)
	if err != nil {
		tb.Fatal(err)
	}
	proxy = faultproxy.New(tb, config.Host)
	proxy.Through(through)
	kubeconfig = filepath.Join(tb.TempDir(), "kubeconfig")
	err = clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"proxy": {Server: proxy.URL}},
		Contexts:       map[string]*api.Context{"proxy": {Cluster: "proxy"}},
		CurrentContext: "proxy",
	}, kubeconfig)
	if err != nil {
		tb.Fatal(err)
	}
	return proxy, kubeconfig
}
