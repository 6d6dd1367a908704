// Package emulator runs the servers that stand in for cloud stores in tests:
// Azurite, gofakes3 and fake-gcs-server, on free loopback ports. Tests of the
// drivers and of all that works over them use it.
package emulator

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/faultproxy"
)

// Server is an emulator that runs.
type Server struct {
	Name string // of the emulator, for the names of subtests
	URL  string // its endpoint, without a trailing slash

	// Secret opens it, for clients that do not read it from the environment; ""
	// where it needs none.
	Secret string

	// How the service says that it is busy, and that it failed, as its vendor
	// documents it.
	Throttled, Failed faultproxy.Fault

	// root makes a new bucket or container, reached by way of endpoint, and
	// returns its URI as users write it.
	root func(tb testing.TB, endpoint, name string) string
}

var roots atomic.Int32

// Root is the URI of a new root on the server, with nothing in it.
func (s *Server) Root(tb testing.TB) string {
	tb.Helper()
	return s.root(tb, s.URL, newName())
}

// Behind is the URI of a new root that is reached through a proxy, which may fail.
func (s *Server) Behind(tb testing.TB) (string, *faultproxy.Proxy) {
	tb.Helper()
	proxy := faultproxy.New(tb, origin(s.URL))
	return s.root(tb, proxy.URL+strings.TrimPrefix(s.URL, origin(s.URL)), newName()), proxy
}

// At is the URI of a new root that is reached under another host and port.
func (s *Server) At(tb testing.TB, address string) string {
	tb.Helper()
	return s.root(tb, "http://"+address+strings.TrimPrefix(s.URL, origin(s.URL)), newName())
}

// Address is host and port of the server.
func (s *Server) Address() string {
	_, address, _ := strings.Cut(origin(s.URL), "://")
	return address
}

// Direct is the URI of a root that Behind made, past the proxy.
func (s *Server) Direct(root string, proxy *faultproxy.Proxy) string {
	return strings.NewReplacer(
		proxy.URL, origin(s.URL),
		url.QueryEscape(proxy.URL), url.QueryEscape(origin(s.URL)),
	).Replace(root)
}

func newName() string { return fmt.Sprintf("test-%d", roots.Add(1)) }

// origin is scheme and host of a URL.
func origin(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
