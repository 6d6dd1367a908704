package gcsblob

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// request is a request to the service, sent anew for each try.
type request struct {
	method string
	path   string // behind the endpoint, escaped
	query  url.Values
	header map[string]string
	body   [][]byte // one after the other
}

// Contents are read through the XML API: it alone tells the time of the write
// along with them, and it has a code for a missing bucket. All else goes
// through the JSON API (https://cloud.google.com/storage/docs/apis).

func (s *store) contentPath(name string) string { return "/" + s.address.Host + "/" + escaped(name) }
func (s *store) objectsPath() string            { return "/storage/v1/b/" + s.address.Host + "/o" }
func (s *store) uploadPath() string             { return "/upload" + s.objectsPath() }
func (s *store) objectPath(name string) string  { return s.objectsPath() + "/" + escaped(name) }

// escaped is a name within a path, slashes escaped, too
// (https://cloud.google.com/storage/docs/request-endpoints#encoding).
func escaped(name string) string { return strings.ReplaceAll(url.QueryEscape(name), "+", "%20") }

// send returns the response to a successful request; the caller closes its
// body. A refusal of the service is an error, of the most telling kind that
// does not depend on the operation.
func (s *store) send(ctx context.Context, q request) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target := s.endpoint + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, target, nil)
	if err != nil {
		return nil, cloud.Invalid("the endpoint makes no URL")
	}
	r.Header.Set("User-Agent", "mops-go")
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	if len(q.body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(joined(q.body)), nil }
		r.Body, _ = r.GetBody()
		for _, piece := range q.body {
			r.ContentLength += int64(len(piece))
		}
	}
	if s.tokens != nil {
		if err := s.tokens.authorize(r); err != nil {
			return nil, err
		}
	}
	response, err := s.transport.RoundTrip(r) // an http.Client would follow redirects
	if err != nil {
		return nil, s.transport.Failure(err)
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, s.refused(q, response)
}

// ask sends a request and decodes the JSON of its response into answer, unless
// that is nil.
func (s *store) ask(ctx context.Context, q request, answer any) error {
	response, err := s.send(ctx, q)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return s.transport.Failure(err)
	}
	if answer != nil && json.Unmarshal(data, answer) != nil {
		return foreign(response.StatusCode)
	}
	return nil
}

// foreign is the error of a response that cannot be the service's.
func foreign(status int) error {
	return &driver.Error{Kind: driver.Unavailable, Err: &cloud.Foreign{Status: status}}
}

// isOwn knows the service by the id in each of its answers
// (https://cloud.google.com/storage/docs/xml-api/reference-headers).
func isOwn(h http.Header) bool { return h.Get("X-Guploader-Uploadid") != "" }

func joined(pieces [][]byte) io.Reader {
	readers := make([]io.Reader, len(pieces))
	for i, piece := range pieces {
		readers[i] = bytes.NewReader(piece)
	}
	return io.MultiReader(readers...)
}
