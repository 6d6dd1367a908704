package cloud

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/TrilliantHealth/mops-go/blob/driver"
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

// mostAtOnce is how many requests to one host wait for its answer at one moment.
// It keeps ten thousand calls side by side from opening as many connections: a
// process has some thousand file descriptors, and a service slows down who comes
// with more. At 20 ms it makes 12,800 requests a second.
const mostAtOnce = 256

// queues are where requests wait for their turn, by host, for the whole process.
var queues sync.Map

// enter waits for the turn of a request, which ends with its answer: what is read
// after that keeps nobody waiting, so it may take as long as it likes. Who is in
// a hurry need not wait, such as a session that has to be renewed in time.
func enter(r *http.Request) (leave func(), err error) {
	ctx := r.Context()
	if driver.IsUrgent(ctx) {
		return func() {}, nil
	}
	found, ok := queues.Load(r.URL.Host)
	if !ok {
		found, _ = queues.LoadOrStore(r.URL.Host, semaphore.NewWeighted(mostAtOnce))
	}
	queue := found.(*semaphore.Weighted)
	if err := queue.Acquire(ctx, 1); err != nil {
		if r.Body != nil {
			r.Body.Close() // as a RoundTripper must
		}
		return nil, err
	}
	return func() { queue.Release(1) }, nil
}
