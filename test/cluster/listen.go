package cluster

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Listen listens on a port that pods reach, and every process of this machine,
// under the address of the listener. Containerd pulls from a registry there, too,
// without TLS. It is closed when the test has ended.
func (c *Cluster) Listen(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(c.Host, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { listener.Close() })
	if err := c.allowRegistry(listener.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	return listener
}

// Forward lets pods reach an HTTP server of this machine that listens on the loopback
// address only, such as an emulator, until the test has ended. It returns host and
// port that pods and all processes of this machine have to use for it.
func (c *Cluster) Forward(tb testing.TB, server string) string {
	tb.Helper()
	listener := c.Listen(tb)
	transport := &http.Transport{DisableCompression: true} // all passes as it is
	proxy := &http.Server{Handler: &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: server})
			r.Out.Host = r.In.Host
		},
	}}
	var serving sync.WaitGroup
	serving.Go(func() { proxy.Serve(listener) })
	tb.Cleanup(func() {
		proxy.Close()
		serving.Wait()
		transport.CloseIdleConnections()
	})
	return listener.Addr().String()
}

// allowRegistry tells containerd that the registry has no TLS; it looks at every
// pull (https://github.com/containerd/containerd/blob/main/docs/hosts.md).
func (c *Cluster) allowRegistry(address string) error {
	dir := filepath.Join(c.slot.dir, "registries", address)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	hosts := fmt.Sprintf("server = %[1]q\n[host.%[1]q]\n  capabilities = [\"pull\", \"resolve\"]\n", "http://"+address)
	return os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(hosts), 0o600)
}
