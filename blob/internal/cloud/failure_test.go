package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

func TestFailure(t *testing.T) {
	own := &driver.Error{Kind: driver.Exists}
	for name, c := range map[string]struct {
		err  error
		kind blob.Kind
		says string
	}{
		"refused": {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, blob.Unavailable, "connection refused"},
		"reset":   {&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, blob.Unavailable, "connection reset"},
		"timeout": {&net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}, blob.Unavailable, "dial tcp"},
		"cut":     {io.ErrUnexpectedEOF, blob.Unavailable, "the connection broke"},
		"stalled": {&Stalled{time.Second}, blob.Unavailable, "no byte moved for 1s"},
		"dns":     {&net.DNSError{Err: "server misbehaving", Name: "store.example", IsTemporary: true}, blob.Unavailable, "store.example"},
		"foreign": {&Foreign{Status: 200, Title: "Welcome to our hotel"}, blob.Unavailable, "Welcome to our hotel"},
		"unknown": {errors.New("odd"), blob.Unavailable, "odd"},
		"ours":    {own, blob.Exists, "exists"},
	} {
		t.Run(name, func(t *testing.T) {
			// As an SDK and net/http wrap it.
			err := fmt.Errorf("operation failed: %w", &url.Error{Op: "Put", URL: "https://store.example/blob?sig=secret", Err: c.err})
			err = (&Transport{}).Failure(err)
			if _, ok := err.(*driver.Error); !ok || blob.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it became %T %v", err, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
	if err := (&Transport{}).Failure(nil); err != nil {
		t.Error(err)
	}
}

// A host that there is none of is a mistake in the root, until the store was heard:
// then it is the network that has lost its way.
func TestUnknownHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve(t, func(http.ResponseWriter, *http.Request) {})
		var transport Transport
		unknown := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "store.example", IsNotFound: true}}
		if err := transport.Failure(unknown); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "no host store.example") {
			t.Errorf("at first: %v", err)
		}
		if _, err := get(t.Context(), &transport, nil); err != nil {
			t.Fatal(err)
		}
		if err := transport.Failure(unknown); !blob.Is(err, blob.Unavailable) {
			t.Errorf("later: %v", err)
		}
	})
}

// Pages of others are told by what the service puts on all of its answers.
func TestForeignPage(t *testing.T) {
	page := "<!DOCTYPE html><html><head><TITLE>\n Sign in — \n Guest  network</TITLE>" + strings.Repeat("<p>buy", 1<<20)
	for name, c := range map[string]struct {
		header  http.Header
		foreign bool
	}{
		"page":            {http.Header{"Content-Type": {"text/html; charset=utf-8"}}, true},
		"a blob of HTML":  {http.Header{"Content-Type": {"text/html"}, "X-Own": {"yes"}}, false},
		"another content": {http.Header{"Content-Type": {"text/plain"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				serve(t, func(w http.ResponseWriter, _ *http.Request) {
					for name, value := range c.header {
						w.Header()[name] = value
					}
					w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
					io.WriteString(w, page)
				})
				transport := &Transport{Own: func(h http.Header) bool { return h.Get("X-Own") != "" }}
				got, err := get(t.Context(), transport, nil)
				if !c.foreign {
					if got != page || err != nil {
						t.Errorf("%d bytes, %v", len(got), err)
					}
					return
				}
				err = transport.Failure(err)
				if !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), `HTTP 200, "Sign in — Guest network"`) {
					t.Errorf("it became %v", err)
				}
				if now, ok := transport.Clock.now(); ok {
					t.Errorf("the clock learned %v from it", now)
				}
			})
		})
	}
}

// An answer whose status is spoilt says neither that a request was refused nor that
// it was done, so it is made again.
func TestNoStatus(t *testing.T) {
	for _, status := range []string{"000", "100", "199", "600", "999"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 %s OK\r\nContent-Length: 0\r\n\r\n", status)
			conn.Close()
		}))
		transport := &Transport{}
		_, err := transport.Client().Get(server.URL)
		if err = transport.Failure(err); !blob.Is(err, blob.Unavailable) {
			t.Errorf("%s became %v", status, err)
		}
		server.Close()
	}
}

func TestWrongProtocol(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS() // with a certificate that nobody knows
	defer secure.Close()
	for says, server := range map[string]string{
		"write the endpoint with http://": strings.Replace(plain.URL, "http://", "https://", 1),
		"cannot be trusted":               secure.URL,
	} {
		transport := &Transport{}
		_, err := transport.Client().Get(server)
		if err = transport.Failure(err); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v", err)
		}
	}
}

// A certificate that is wrong from one moment to the next is that of somebody in
// between, such as the login page of a network, and will be right again.
func TestStrangerInBetween(t *testing.T) {
	own := httptest.NewUnstartedServer(http.NotFoundHandler())
	own.Config.ErrorLog = log.New(io.Discard, "", 0)
	own.StartTLS()
	defer own.Close()
	transport := &Transport{}
	transport.reached.Store(true)
	_, err := http.Get(own.URL)
	if err = transport.Failure(err); !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "cannot be trusted") {
		t.Errorf("%v", err)
	}
}

func TestKindOfStatus(t *testing.T) {
	for status, kind := range map[int]blob.Kind{
		200: blob.Other, 304: blob.Other, 400: blob.Invalid, 401: blob.Denied, 403: blob.Denied, 404: blob.NotFound, 405: blob.Invalid, 407: blob.Denied,
		408: blob.Unavailable, 409: blob.Invalid, 412: blob.Invalid, 429: blob.Throttled, 500: blob.Unavailable, 502: blob.Unavailable, 503: blob.Throttled, 504: blob.Unavailable,
	} {
		if got := KindOfStatus(status); got != kind {
			t.Errorf("%d is %v rather than %v", status, got, kind)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat):  time.Minute,
			time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
		} {
			if got := RetryAfter(http.Header{"Retry-After": {value}}); got != want {
				t.Errorf("%q is %v rather than %v", value, got, want)
			}
		}
	})
}
