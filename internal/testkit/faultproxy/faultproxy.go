// Package faultproxy stands in tests between a client and a server of HTTP, and
// does to single requests what networks and services do, as the services' vendors
// document it: refuse, throttle, stall, cut, lose an answer, take their time. It
// knows nothing of mops.
package faultproxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes requests on to a server. It is safe for concurrent use.
type Proxy struct {
	URL string // without a trailing slash

	forward *httputil.ReverseProxy
	ended   chan struct{}
	latency atomic.Int64
	total   atomic.Int64
	now     atomic.Int64
	most    atomic.Int64

	mu      sync.Mutex
	rules   []*rule
	observe func(*http.Request)
}

type rule struct {
	match func(*http.Request) bool
	fault Fault
	left  int // how often it may still strike; negative: always
}

// New starts a proxy to the server at target, which ends with the test.
func New(tb testing.TB, target string) *Proxy {
	tb.Helper()
	to, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.DisableCompression = 256, true
	p := &Proxy{ended: make(chan struct{}), forward: &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = server.URL
	tb.Cleanup(func() {
		close(p.ended) // for requests that are stalled
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// Through makes requests go to the server by another way: with credentials, say.
// It comes before the first request.
func (p *Proxy) Through(transport http.RoundTripper) { p.forward.Transport = transport }

// Requests is how many came so far.
func (p *Proxy) Requests() int { return int(p.total.Load()) }

// MostAtOnce is how many were under way at one moment at the most, since Reset.
func (p *Proxy) MostAtOnce() int { return int(p.most.Load()) }

// Reset sets the counts to zero and forgets all rules and who observes.
func (p *Proxy) Reset() {
	p.total.Store(0)
	p.most.Store(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.observe = nil, nil
}

// Observe lets see be told of each request, one at a time, before its fate.
func (p *Proxy) Observe(see func(*http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observe = see
}

// SetLatency makes every request take so much longer.
func (p *Proxy) SetLatency(d time.Duration) { p.latency.Store(int64(d)) }

// Strike lets a fault befall the next times requests that match, all of them
// where times is negative. Of several rules the first that matches counts.
func (p *Proxy) Strike(times int, fault Fault, match func(*http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, &rule{match, fault, times})
}

func (p *Proxy) fault(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.observe != nil {
		p.observe(r)
	}
	for _, rule := range p.rules {
		if rule.left != 0 && rule.match(r) {
			rule.left--
			return rule.fault
		}
	}
	return func(_ http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) { pass(nil) }
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.total.Add(1)
	now := p.now.Add(1)
	defer p.now.Add(-1)
	for most := p.most.Load(); now > most && !p.most.CompareAndSwap(most, now); most = p.most.Load() {
	}
	if latency := time.Duration(p.latency.Load()); latency > 0 {
		time.Sleep(latency) // it is the passing of time that is wanted
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	r = r.WithContext(ctx)
	p.fault(r)(w, r, func(to http.ResponseWriter) {
		if to == nil {
			to = w
		}
		p.forward.ServeHTTP(to, r)
	})
}

// Any matches every request.
func Any(*http.Request) bool { return true }

// Method matches requests of one method.
func Method(name string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == name }
}

// drain reads what the client sends, as a server would before it answers.
func drain(r *http.Request) { io.Copy(io.Discard, r.Body) }
