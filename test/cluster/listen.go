package cluster

import (
	"fmt"
	"io"
	"net"
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

// Forward lets pods reach a server of this machine that listens on the loopback
// address only, such as an emulator, until the test has ended. It returns host and
// port that pods and all processes of this machine have to use for it.
func (c *Cluster) Forward(tb testing.TB, server string) string {
	tb.Helper()
	listener := c.Listen(tb)
	f := &forwarder{server: server, open: map[net.Conn]bool{}}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			accepting.Go(func() { f.forward(client) })
		}
	})
	tb.Cleanup(func() {
		listener.Close()
		f.close()
		accepting.Wait()
	})
	return listener.Addr().String()
}

// forwarder holds the connections that are open, to close them.
type forwarder struct {
	server string

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

// forward copies both directions until both have ended.
func (f *forwarder) forward(client net.Conn) {
	defer f.drop(client)
	if !f.keep(client) {
		return
	}
	server, err := net.Dial("tcp", f.server)
	if err != nil {
		return
	}
	defer f.drop(server)
	if !f.keep(server) {
		return
	}
	var copying sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		copying.Go(func() {
			io.Copy(way[0], way[1])
			way[0].(*net.TCPConn).CloseWrite()
		})
	}
	copying.Wait()
}

func (f *forwarder) keep(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[conn] = true
	return !f.closed
}

func (f *forwarder) drop(conn net.Conn) {
	conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, conn)
}

func (f *forwarder) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for conn := range f.open {
		conn.Close()
	}
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
