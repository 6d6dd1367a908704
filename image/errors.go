package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// failure is an error with a text of our own: the texts of the library and of
// net/http hold URLs, in which registries put tokens.
type failure struct {
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() error { return f.cause }

// explain says what went wrong with a registry, and what to do about it.
func (r *repository) explain(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	registry := r.name.RegistryStr()
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return &failure{fmt.Sprintf("%s: %s answered %s; %s", doing, registry, describe(answer), r.advice(answer)), err}
	}
	var what string
	switch {
	case errors.Is(err, http.ErrSchemeMismatch), errors.Is(err, errPlain):
		what = fmt.Sprintf("%s speaks plain http, by which all can be read on the way; if that is fine, set image.Insecure()", registry)
	case isA[*tls.CertificateVerificationError](err):
		what = fmt.Sprintf("the certificate of %s is not trusted: %s; add its authority to this machine's, or to the file that SSL_CERT_FILE names", registry, firstLine(err))
	case isA[*net.OpError](err), isA[*net.DNSError](err):
		what = fmt.Sprintf("%s cannot be reached: %s; is the name right, and does this machine need a proxy (HTTPS_PROXY)?", registry, firstLine(err))
	default:
		what = firstLine(err)
	}
	return &failure{doing + ": " + what, err}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// firstLine leaves out the other lines, which a server may have sent.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// describe is the status of an answer, with the registry's own words.
func describe(answer *transport.Error) string {
	text := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	for _, e := range answer.Errors {
		text += fmt.Sprintf(" (%s: %s)", e.Code, strings.Join(strings.Fields(e.Message), " "))
	}
	return text
}

func (r *repository) advice(answer *transport.Error) string {
	registry := r.name.RegistryStr()
	says := func(code transport.ErrorCode) bool {
		return slices.ContainsFunc(answer.Errors, func(e transport.Diagnostic) bool { return e.Code == code })
	}
	switch status := answer.StatusCode; {
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && !r.known:
		return fmt.Sprintf("no credentials for it were found: docker login %s, or what your registry has in its place, writes them; or set image.Keychain", registry)
	case status == http.StatusUnauthorized && !says(transport.DeniedErrorCode):
		return fmt.Sprintf("the credentials that were found are not valid, or no longer: docker login %s, or what your registry has in its place, renews them", registry)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Sprintf("whose credentials were found may not do that with %s: ask for the right, or use another repository", r.name)
	case status == http.StatusNotFound:
		return fmt.Sprintf("is %s spelled right? Some registries want it to be created first", r.name)
	case status == http.StatusRequestEntityTooLarge:
		return "the program is larger than the registry, or a proxy before it, allows: build it with -ldflags=-s, take the data out of it, or raise the limit there"
	case status == http.StatusTooManyRequests:
		return "it limits how many requests it answers: wait, or log in as somebody with a higher limit"
	case status >= http.StatusInternalServerError:
		return "that is a failure of the registry: try again later, or ask who runs it"
	default:
		return "the registry did not take the request as it was made: does it speak the OCI distribution protocol (https://github.com/opencontainers/distribution-spec)?"
	}
}
