package cloud

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// KindOfStatus is what an HTTP status means where the service's own code says no
// more (RFC 9110, section 15). Conditions are up to the driver: what 404, 409
// and 412 mean depends on the request.
func KindOfStatus(status int) driver.Kind {
	switch {
	case status == http.StatusNotFound:
		return driver.NotFound
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return driver.Denied
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return driver.Throttled
	case status == http.StatusRequestTimeout, status >= 500:
		return driver.Unavailable
	case status >= 400:
		return driver.Invalid
	}
	return driver.Other
}

// RetryAfter is how long a response asks to wait (RFC 9110, section 10.2.3); 0
// where it does not.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// Failure makes an error of package driver out of one that came before any
// answer of the service, or in the middle of one. Errors of the caller's
// context stay as they are.
func (t *Transport) Failure(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e // without the SDK's layers around it
	}
	if _, stalled := errors.AsType[*Stalled](err); !stalled && isContextError(err) {
		if e, ok := errors.AsType[*url.Error](err); ok {
			return e.Err // without the URL, which may carry a signature
		}
		return err
	}
	if e, ok := errors.AsType[*Foreign](err); ok {
		return &driver.Error{Kind: driver.Unavailable, Err: e}
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound && !t.reached.Load() {
		return &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf(
			"there is no host %s: check the name in the root, the region and the endpoint, and that this machine has a network", e.Name)}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return &driver.Error{Kind: driver.Invalid, Err: errors.New("the server speaks http rather than https: write the endpoint with http://")}
	}
	if isCertificateError(err) {
		kind := driver.Invalid
		if t.reached.Load() { // it was trusted before: the login page of a network, say, is in between for now
			kind = driver.Unavailable
		}
		return &driver.Error{Kind: kind, Err: fmt.Errorf(
			"the server cannot be trusted; check the endpoint, and the certificates of this machine: %w", err)}
	}
	return &driver.Error{Kind: driver.Unavailable, Err: shorter(err)}
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !isNetworkTimeout(err)
}

// isNetworkTimeout tells the deadline of a connection from that of a context: os
// and net make them alike for errors.Is, but only the former is an *net.OpError.
func isNetworkTimeout(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}

func isCertificateError(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// shorter leaves what is below the SDK's layers, which repeat the URL and say
// nothing more. The URL may carry a signature, so it must not be shown at all.
func shorter(err error) error {
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return fmt.Errorf("the connection broke: %w", known)
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		if errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("%w: nothing listens there; check the endpoint, and that the service runs", e)
		}
		return e
	}
	if e, ok := errors.AsType[*Stalled](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	inner := err
	for {
		next := errors.Unwrap(inner)
		if next == nil {
			return inner
		}
		inner = next
	}
}

// Foreign is an answer that does not come from the service.
type Foreign struct {
	Status int
	Title  string // of the page; may be empty
}

func (e *Foreign) Error() string {
	message := fmt.Sprintf("a web page answered (HTTP %d", e.Status)
	if e.Title != "" {
		message += fmt.Sprintf(", %q", e.Title)
	}
	return message + ") and not the store: a proxy or a login page of the network is in between, or the endpoint is another service's"
}

// foreign finds out whether a page of HTML came from somebody else.
func (t *Transport) foreign(response *http.Response) error {
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") || t.Own == nil || t.Own(response.Header) {
		return nil
	}
	begin, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return &Foreign{Status: response.StatusCode, Title: titleOf(string(begin))}
}

func titleOf(page string) string {
	lower := strings.ToLower(page)
	if len(lower) != len(page) { // some letters change their length
		return ""
	}
	from := strings.Index(lower, "<title>")
	to := strings.Index(lower, "</title>")
	if from < 0 || to < from {
		return ""
	}
	title := strings.Join(strings.Fields(page[from+len("<title>"):to]), " ")
	return title[:min(len(title), 80)]
}

// maxRefusal is how much a service says at the most when it refuses a request.
const maxRefusal = 64 << 10

// noStatus refuses an answer whose status HTTP does not have: it was spoilt on
// its way, and means neither that the request was refused nor that it was done.
func noStatus(response *http.Response) error {
	if status := response.StatusCode; status < 200 || status > 599 {
		return fmt.Errorf("the answer has the status %d, which HTTP does not have: it was spoilt on its way", status)
	}
	return nil
}

// readRefusal reads the text of a refusal. One that is cut short has lost
// its reason: that is a broken connection, and not a refusal for no reason.
func readRefusal(response *http.Response) error {
	if response.StatusCode < 400 {
		return nil
	}
	said, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	if err != nil {
		return err
	}
	rest := response.Body
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(said), rest), rest}
	return nil
}
