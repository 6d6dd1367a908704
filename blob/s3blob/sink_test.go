package s3blob

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// sink is a service that keeps nothing: it forgets puts, and returns size zeros
// for a get. So only the client's speed and memory show.
type sink struct {
	size        int64
	mu          sync.Mutex
	connections int // that were ever opened
}

func newSink(tb testing.TB, size int64) (*blob.Store, *sink) {
	tb.Helper()
	emulator.S3Environment()
	s := &sink{size: size}
	server := httptest.NewUnstartedServer(s)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.connections++
		}
	}
	server.Start()
	tb.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return mustOpen(tb, "s3://bucket/a/root?endpoint="+url.QueryEscape(server.URL)), s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("ETag", `"0123456789abcdef"`)
	w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
	switch query := r.URL.Query(); {
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Length", fmt.Sprint(s.size))
		io.Copy(w, zeros(s.size))
	case query.Has("uploads"):
		io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
	case r.Method == http.MethodPost:
		io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"0123456789abcdef-9"</ETag></CompleteMultipartUploadResult>`)
	}
}

// zeros is a body of n bytes that cannot be rewound.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// pattern is n bytes without much repetition.
func pattern(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%x,", i*i)
	}
	return b.String()[:n]
}
