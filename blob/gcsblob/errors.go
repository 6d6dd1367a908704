package gcsblob

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// refusal is the service's answer to a request that it refuses.
type refusal struct {
	status  int
	code    string // such as NoSuchKey (XML) or notFound (JSON)
	message string
	request string // its id, for Google's support
	mend    string // what to do; may be empty
	bucket  bool   // the request named no object, only the bucket
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("HTTP %d", r.status)
	if r.code != "" {
		text += " " + r.code
	}
	if r.message != "" {
		text += ": " + r.message
	}
	if r.request != "" {
		text += " (request " + r.request + ")"
	}
	if r.mend != "" {
		text += "; " + r.mend
	}
	return text
}

// refused turns a response without success into an error.
func (s *store) refused(q request, response *http.Response) error {
	r := &refusal{status: response.StatusCode, request: response.Header.Get("X-Guploader-Uploadid")}
	r.bucket = q.path == s.uploadPath() || q.path == s.objectsPath()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // it is in memory
	r.read(bytes.TrimSpace(body))
	kind := r.kind()
	switch {
	case r.noBucket():
		r.mend = fmt.Sprintf("there is no bucket %[1]s: check the name in the root, and the endpoint if it has one, or make the bucket with `gcloud storage buckets create gs://%[1]s`", s.address.Host)
	case r.status == http.StatusUnauthorized:
		r.mend = "the credentials are not good, or not any more: run `gcloud auth application-default login`, " +
			"or check the key that GOOGLE_APPLICATION_CREDENTIALS names, and the clock of this machine"
	case kind == driver.Denied:
		r.mend = fmt.Sprintf("give the account the role Storage Object User (roles/storage.objectUser) on the bucket %s; "+
			"without its permission storage.objects.list, this is also the answer for what is not there", s.address.Host)
	case r.status/100 == 3:
		to, err := url.Parse(response.Header.Get("Location"))
		if err != nil {
			to = &url.URL{}
		}
		r.mend = fmt.Sprintf("something redirects to %q, which the service does not: a proxy or a login page of the network is in between, "+
			"or the endpoint is another service's", to.Host)
	}
	return &driver.Error{Kind: kind, Err: r, RetryAfter: cloud.RetryAfter(response.Header)}
}

// read takes code and message from the body of either API.
func (r *refusal) read(body []byte) {
	var inJSON struct {
		Error struct {
			Message string `json:"message"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
		} `json:"error"`
	}
	var inXML struct {
		Code, Message, Details string
	}
	switch {
	case json.Unmarshal(body, &inJSON) == nil:
		r.message = inJSON.Error.Message
		if len(inJSON.Error.Errors) > 0 {
			r.code = inJSON.Error.Errors[0].Reason
		}
	case xml.Unmarshal(body, &inXML) == nil:
		r.code, r.message = inXML.Code, inXML.Message+" "+inXML.Details
	}
	r.code, r.message = oneLine(r.code), oneLine(r.message)
}

// kind follows https://cloud.google.com/storage/docs/json_api/v1/status-codes
// and https://cloud.google.com/storage/docs/xml-api/reference-status.
// conditional tells which condition was broken.
func (r *refusal) kind() driver.Kind {
	switch {
	case r.noBucket():
		return driver.Invalid // NotFound would mean: compute it
	case r.code == "rateLimitExceeded", r.code == "userRateLimitExceeded":
		return driver.Throttled // 429, or 403 from an older quota
	case r.status == http.StatusConflict: // another request changes the object at this moment
		return driver.Unavailable
	case r.status == http.StatusBadRequest && strings.Contains(r.message, "doesn't match calculated"):
		return driver.Unavailable // the checksum: bytes changed on their way
	case r.status/100 == 3:
		return driver.Unavailable
	}
	return cloud.KindOfStatus(r.status)
}

// noBucket reports whether the bucket is missing, rather than an object. Only
// the XML API has a code for it. For an insert and a list nothing else can be
// missing: a swap of a missing object breaks its condition.
func (r *refusal) noBucket() bool {
	return r.code == "NoSuchBucket" ||
		r.status == http.StatusNotFound && (r.bucket || strings.Contains(r.message, "specified bucket does not exist"))
}

// statusOf is the HTTP status of an error; 0 if it has none.
func statusOf(err error) int {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status
	}
	return 0
}

// conditional turns the error of a put into the broken condition, if one broke.
func conditional(err error, opts driver.PutOptions) error {
	broken := statusOf(err) == http.StatusPreconditionFailed
	switch {
	case broken && opts.IfAbsent:
		return &driver.Error{Kind: driver.Exists}
	case broken && opts.IfVersion != "":
		return &driver.Error{Kind: driver.Mismatch}
	}
	return err
}

// oneLine is a text of the service's, shortened for a message.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > 600 {
		text = strings.ToValidUTF8(text[:600], "") + "…"
	}
	return text
}
