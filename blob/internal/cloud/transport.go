package cloud

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultStall is how long a request may go without a byte moving.
const DefaultStall = 30 * time.Second

// Transport sends the requests of one store. It is safe for concurrent use.
type Transport struct {
	// Own reports whether a response carries the marks of the service. A page
	// of HTML without them comes from a proxy or a captive portal.
	Own func(http.Header) bool

	// Stall ends a request when no byte has moved for so long, while it is the
	// network that is waited for; default: DefaultStall. It bounds progress, not
	// size: an upload of a day is fine.
	Stall time.Duration

	// Roots are the authorities that certificates are checked against; nil: the
	// machine's.
	Roots *x509.CertPool

	// Clock learns the time from every response.
	Clock Clock

	reached atomic.Bool // the service was ever heard
	via     *http.Transport
	once    sync.Once // sets via
}

// connections are shared by all stores of the process that trust the same
// authorities, so that thousands of calls side by side use each others'.
var connections struct {
	sync.Mutex
	all []*http.Transport
}

func connectionsTo(roots *x509.CertPool) *http.Transport {
	connections.Lock()
	defer connections.Unlock()
	for _, t := range connections.all {
		if t.TLSClientConfig.RootCAs.Equal(roots) {
			return t
		}
	}
	t := newConnections(roots)
	connections.all = append(connections.all, t)
	return t
}

// newConnections speak HTTP/1.1. HTTP/2 would send all requests through one, whose
// windows bound how fast blobs come: four large ones side by side took 2.7 times as long,
// over loopback. S3 and Azure speak HTTP/1.1 only.
func newConnections(roots *x509.CertPool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
	t.MaxIdleConns = 0                 // the next line bounds them
	t.MaxIdleConnsPerHost = mostAtOnce // the default of 2 would open a connection for nearly each request
	t.IdleConnTimeout = 60 * time.Second
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.DisableCompression = true // blobs come as they are, with their length
	t.ReadBufferSize, t.WriteBufferSize = 64<<10, 64<<10
	return t
}

// Client is an HTTP client for an SDK.
func (t *Transport) Client() *http.Client { return &http.Client{Transport: t} }

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	leave, err := enter(r)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithCancelCause(r.Context())
	w := newWatch(cancel, t.stall())
	t.once.Do(func() { t.via = connectionsTo(t.Roots) })
	response, err := t.via.RoundTrip(w.request(r.WithContext(ctx)))
	w.answered()
	if err != nil {
		err = whyEnded(ctx, err)
		w.end()
		return nil, err
	}
	response.Body = &watchedBody{response.Body, w, ctx}
	err = noStatus(response)
	if err == nil {
		err = t.foreign(response)
	}
	if err == nil {
		err = readRefusal(response)
	}
	if err != nil {
		response.Body.Close()
		return nil, err
	}
	t.reached.Store(true)
	t.Clock.learn(response.Header)
	return response, nil
}

func (t *Transport) stall() time.Duration {
	if t.Stall > 0 {
		return t.Stall
	}
	return DefaultStall
}
