// Package emulator gives tests of the drivers, and of all that works over them, the
// servers that stand in for cloud stores: Azurite, gofakes3 and fake-gcs-server, on
// free loopback ports. They are those of module test, whose command emulator runs
// them in a process of its own: programs that import a driver need not fetch them.
package emulator

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
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
}

// S3 starts gofakes3, in memory, until the test ends. It sets variables of this
// process, too; see [S3Environment].
func S3(tb testing.TB) *Server {
	tb.Helper()
	S3Environment()
	s := start(tb, "s3")
	s.Throttled = S3Error(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	s.Failed = S3Error(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
	return s
}

// GCS starts fake-gcs-server, in memory, until the test ends.
func GCS(tb testing.TB) *Server {
	tb.Helper()
	s := start(tb, "gs")
	s.Throttled = GCSError(http.StatusTooManyRequests, "rateLimitExceeded", "The object exceeded the rate limit for object mutation operations.")
	s.Failed = GCSError(http.StatusServiceUnavailable, "backendError", "Backend Error")
	return s
}

// Azurite runs Microsoft's emulator of Azure Blob Storage, in memory. There is one
// for all tests of a process, and it ends with it. The process gets the emulator's
// credentials into its environment, in place of what was there.
//
// Without Node.js the test is left out, except where CI=true.
func Azurite(tb testing.TB) *Server {
	tb.Helper()
	s := start(tb, "adls")
	s.Throttled = AzureError(http.StatusServiceUnavailable, "ServerBusy", "The server is currently unable to receive requests. Please retry your request.")
	s.Failed = AzureError(http.StatusInternalServerError, "InternalError", "The server encountered an internal error. Please retry the request.")
	for _, other := range []string{"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_ACCOUNT"} {
		os.Unsetenv(other)
	}
	os.Setenv("AZURE_STORAGE_KEY", s.Secret)
	return s
}

var roots atomic.Int32

// Root is the URI of a new root on the server, with nothing in it.
func (s *Server) Root(tb testing.TB) string {
	tb.Helper()
	return s.root(tb, s.URL)
}

// Behind is the URI of a new root that is reached through a proxy, which may fail.
func (s *Server) Behind(tb testing.TB) (string, *faultproxy.Proxy) {
	tb.Helper()
	proxy := faultproxy.New(tb, origin(s.URL))
	return s.root(tb, proxy.URL+strings.TrimPrefix(s.URL, origin(s.URL))), proxy
}

// At is the URI of a new root that is reached under another host and port.
func (s *Server) At(tb testing.TB, address string) string {
	tb.Helper()
	return s.root(tb, "http://"+address+strings.TrimPrefix(s.URL, origin(s.URL)))
}

// root makes a new bucket or container, reached by way of endpoint, and returns its
// URI as users write it.
func (s *Server) root(tb testing.TB, endpoint string) string {
	tb.Helper()
	name := fmt.Sprintf("test-%d", roots.Add(1))
	return string(ask(tb, "/root", url.Values{"server": {s.URL}, "endpoint": {endpoint}, "name": {name}}))
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

// origin is scheme and host of a URL.
func origin(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// S3Environment gives this process the variables of programs that use gofakes3, so
// that the SDK finds credentials and a region and looks nowhere else, here and in
// child processes: files of the user are left out, and the machine is not asked for
// credentials. Nothing is set back, so that tests may run in parallel.
var S3Environment = sync.OnceFunc(func() {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":           "emulator",
		"AWS_SECRET_ACCESS_KEY":       "emulator-secret",
		"AWS_REGION":                  "us-east-1",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
	} {
		os.Setenv(name, value)
	}
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"} {
		os.Unsetenv(name)
	}
})
