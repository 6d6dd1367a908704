package cloud

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// network connects clients and a server in memory, with nothing in between that
// would take bytes: in a bubble of testing/synctest, all of its time is not real.
type network chan net.Conn

// serve runs a server for the rest of the test, to which all transports lead. The
// context of its requests ends with the test, too.
func serve(t *testing.T, handler http.HandlerFunc) {
	t.Helper()
	n := make(network)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(t.Context(), cancel)()
		handler(w, r.WithContext(ctx))
	})}
	ended := make(chan struct{})
	go func() { server.Serve(n); close(ended) }()
	before := connections.all
	transport := &http.Transport{TLSClientConfig: &tls.Config{}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case n <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	connections.all = []*http.Transport{transport}
	t.Cleanup(func() {
		connections.all = before
		transport.CloseIdleConnections()
		server.Close()
		<-ended
		time.Sleep(time.Second) // as long as the server takes to hang up
	})
}

func (n network) Accept() (net.Conn, error) {
	if c, ok := <-n; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (n network) Close() error   { close(n); return nil }
func (n network) Addr() net.Addr { return &net.TCPAddr{} }

// get sends a request and reads the answer.
func get(ctx context.Context, t *Transport, body io.Reader) (string, error) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPut
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://store.example/blob?sig=secret", body)
	if err != nil {
		return "", err
	}
	response, err := t.Client().Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return string(data), err
}

// slowly reads or writes a byte at a time, and waits so long before each.
type slowly struct {
	io.Reader
	wait time.Duration
}

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(s.wait)
	return s.Reader.Read(p[:min(len(p), 1)])
}
