package s3blob

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// answer is a refusal of the service.
type answer struct {
	operation     string // such as GetObject
	status        int
	code, message string // empty if the answer had no body
	request       string // id, for the service's own support
	header        http.Header
}

// answerOf finds the service's answer in an error of the SDK, if it gave one.
func answerOf(err error) (a answer, ok bool) {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || response.Response.StatusCode < 300 { // 0: none came; 200: it was cut short
		return a, false
	}
	a.status, a.header = response.Response.StatusCode, response.Response.Header
	if e, ok := errors.AsType[*smithy.OperationError](err); ok {
		a.operation = e.OperationName
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		a.code, a.message = e.ErrorCode(), e.ErrorMessage()
	}
	if e, ok := errors.AsType[s3.ResponseError](err); ok {
		a.request = e.ServiceRequestID()
	}
	return a, true
}

// mute reports whether the answer has no reason in it: the answer to a HEAD has
// no body, and the SDK makes a code from the status.
func (a answer) mute() bool { return strings.HasPrefix(a.operation, "Head") }

func (a answer) String() string {
	var b strings.Builder
	if a.code != "" && !a.mute() {
		fmt.Fprintf(&b, "%s: %.300s ", a.code, strings.TrimSuffix(a.message, "."))
	}
	fmt.Fprintf(&b, "(%s, HTTP %d", a.operation, a.status)
	if a.request != "" {
		fmt.Fprintf(&b, ", request %s", a.request)
	}
	return b.String() + ")"
}

// meaning is the kind of a code of S3's (Amazon S3 API Reference, "Error
// responses"), and advice about it. For codes without an entry the status
// decides.
type meaning struct {
	kind   driver.Kind
	advice string
}

const (
	otherRegion = "set AWS_REGION to the region of the bucket, or add ?region= to the root"
	wrongKeys   = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile"
	renewKeys   = "get new credentials and start the program again"
)

var meanings = map[string]meaning{
	"NoSuchKey": {driver.NotFound, ""},

	"AccessDenied":                       {driver.Denied, ""}, // see permission
	"AllAccessDisabled":                  {driver.Denied, ""},
	"InvalidAccessKeyId":                 {driver.Denied, wrongKeys},
	"SignatureDoesNotMatch":              {driver.Denied, wrongKeys + "; a proxy that changes requests does the same"},
	"InvalidToken":                       {driver.Denied, wrongKeys},
	"ExpiredToken":                       {driver.Denied, renewKeys},
	"TokenRefreshRequired":               {driver.Denied, renewKeys},
	"RequestTimeTooSkewed":               {driver.Denied, "set the clock of this machine: it is off by more than 15 minutes"},
	"NotSignedUp":                        {driver.Denied, ""},
	"InvalidObjectState":                 {driver.Invalid, "the object was archived: restore it, and leave mops' folder out of rules that archive"},
	"IllegalLocationConstraintException": {driver.Invalid, otherRegion},
	"AuthorizationHeaderMalformed":       {driver.Invalid, otherRegion},
	"NotImplemented":                     {driver.Invalid, "the service does not have all that mops needs"},

	"SlowDown":             {driver.Throttled, ""},
	"SlowDownRead":         {driver.Throttled, ""}, // MinIO
	"SlowDownWrite":        {driver.Throttled, ""}, // MinIO
	"RequestLimitExceeded": {driver.Throttled, ""},
	"ServiceUnavailable":   {driver.Unavailable, ""},
	"InternalError":        {driver.Unavailable, ""},

	// These have a status of 4xx, and are over the next time.
	"RequestTimeout":              {driver.Unavailable, ""},
	"IncompleteBody":              {driver.Unavailable, ""},
	"BadDigest":                   {driver.Unavailable, "the bytes changed on their way"},
	"XAmzContentSHA256Mismatch":   {driver.Unavailable, "the bytes changed on their way"},
	"XAmzContentChecksumMismatch": {driver.Unavailable, "the bytes changed on their way"},
	"OperationAborted":            {driver.Unavailable, ""},
	"TemporaryRedirect":           {driver.Unavailable, "the bucket is new, and its name not known everywhere"},
	"InvalidPart":                 {driver.Unavailable, "the service does not know a part that it has taken"},
	"NoSuchUpload":                {driver.Unavailable, "somebody, or a rule of the bucket, aborted the upload"},
	codeConflict:                  {driver.Unavailable, ""},
}

// codeConflict answers a conditional put that another write crossed: "retry the
// upload" (Amazon S3 API Reference, PutObject, If-None-Match).
const codeConflict = "ConditionalRequestConflict"

// permission is the one that an operation needs.
var permission = map[string]string{
	"GetObject":               "s3:GetObject on the objects",
	"HeadObject":              "s3:GetObject on the objects",
	"PutObject":               "s3:PutObject on the objects",
	"CreateMultipartUpload":   "s3:PutObject on the objects",
	"UploadPart":              "s3:PutObject on the objects",
	"CompleteMultipartUpload": "s3:PutObject on the objects",
	"DeleteObject":            "s3:DeleteObject on the objects",
	"ListObjectsV2":           "s3:ListBucket on the bucket",
	"HeadBucket":              "s3:ListBucket on the bucket",
}

// failure turns an error of the SDK into one of package driver.
func (s *store) failure(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e
	}
	a, ok := answerOf(err)
	if !ok {
		return s.transport.Failure(err)
	}
	m := s.meaning(a)
	failure := &driver.Error{Kind: m.kind, RetryAfter: cloud.RetryAfter(a.header)}
	if m.kind == driver.NotFound {
		return failure // the kind says it all
	}
	if m.advice != "" {
		failure.Err = fmt.Errorf("%v: %s", a, m.advice)
	} else {
		failure.Err = errors.New(a.String())
	}
	return failure
}

func (s *store) meaning(a answer) meaning {
	bucket := s.address.Host
	// Buckets in other regions: 301, or 400 if the region is in the signature; the
	// answer to a HEAD has only the header.
	if region := a.header.Get("X-Amz-Bucket-Region"); region != "" && region != s.region && (a.status == 301 || a.status == 400) {
		return meaning{driver.Invalid, fmt.Sprintf("the bucket %s is in the region %s, and %s was asked: set AWS_REGION=%s, or add ?region=%s to the root",
			bucket, region, s.region, region, region)}
	}
	if m, ok := meanings[a.code]; ok && !a.mute() {
		if needed := permission[a.operation]; a.code == "AccessDenied" && needed != "" {
			m.advice = "allow " + needed
			if a.operation == "GetObject" {
				m.advice += ", and s3:ListBucket on the bucket: without that S3 answers so for whatever is merely not there"
			}
		}
		return m
	}
	kind := cloud.KindOfStatus(a.status)
	switch {
	case a.code == "NoSuchBucket", a.status == http.StatusNotFound && a.operation == "HeadBucket":
		return meaning{driver.Invalid, fmt.Sprintf("there is no bucket %s: check the name and the endpoint, or create it", bucket)}
	case a.status == http.StatusNotFound && !a.mute():
		return meaning{driver.Invalid, "that is not how S3 answers: check the endpoint"}
	case a.status == http.StatusMovedPermanently:
		return meaning{driver.Invalid, fmt.Sprintf("the bucket %s is in another region than %s: %s", bucket, s.region, otherRegion)}
	case a.status < 400: // from some proxy
		return meaning{driver.Unavailable, "the answer leads elsewhere: a proxy or a login page of the network is in between, or the endpoint is wrong"}
	case kind == driver.Denied:
		return meaning{kind, "check the credentials, and the policies of the user and the bucket"}
	}
	return meaning{kind, ""}
}
