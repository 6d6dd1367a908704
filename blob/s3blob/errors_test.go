package s3blob

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// operations are all that a store does, by name.
var operations = map[string]func(ctx context.Context, s *blob.Store) error{
	"get":  func(ctx context.Context, s *blob.Store) error { _, _, err := s.ReadAll(ctx, "key", nil); return err },
	"stat": func(ctx context.Context, s *blob.Store) error { _, err := s.Stat(ctx, "key"); return err },
	"put": func(ctx context.Context, s *blob.Store) error {
		_, err := s.PutBytes(ctx, "key", []byte("x"), blob.PutOptions{})
		return err
	},
	"absent": func(ctx context.Context, s *blob.Store) error {
		_, err := s.PutBytes(ctx, "key", []byte("x"), blob.PutOptions{IfAbsent: true})
		return err
	},
	"swap": func(ctx context.Context, s *blob.Store) error {
		_, err := s.PutBytes(ctx, "key", []byte("x"), blob.PutOptions{IfVersion: "abc"})
		return err
	},
	"parts": func(ctx context.Context, s *blob.Store) error {
		_, err := s.Put(ctx, "key", zeros(part+1), part+1, blob.PutOptions{})
		return err
	},
	"list": func(ctx context.Context, s *blob.Store) (err error) {
		for _, err = range s.List(ctx, "", "") {
		}
		return err
	},
	"delete": func(ctx context.Context, s *blob.Store) error { return s.Delete(ctx, "key") },
	"clock":  func(ctx context.Context, s *blob.Store) error { _, _, err := s.Now(ctx); return err },
}

const none blob.Kind = 99 // no error

// The service's answers, as AWS documents them (Amazon S3 API Reference, "Error
// responses"; User Guide, "How to prevent object overwrites with conditional
// writes"), and the errors made of them.
func TestKinds(t *testing.T) {
	html := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	region := http.Header{"Content-Type": {"application/xml"}, "X-Amz-Bucket-Region": {"eu-west-1"}}
	for name, c := range map[string]struct {
		fault faultproxy.Fault
		kinds map[string]blob.Kind // by operation; "" is all the others, but the clock
		text  []string             // in all errors, but those that say nothing more than their kind
	}{
		"NoSuchKey": {emulator.S3Error(404, "NoSuchKey", "The specified key does not exist."),
			map[string]blob.Kind{"get": blob.NotFound, "stat": blob.NotFound, "swap": blob.Mismatch, "delete": none}, nil},
		"NoSuchBucket": {emulator.S3Error(404, "NoSuchBucket", "The specified bucket does not exist"),
			map[string]blob.Kind{"": blob.Invalid}, []string{"there is no bucket test-", "create it"}},
		"AccessDenied": {emulator.S3Error(403, "AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized"),
			map[string]blob.Kind{"": blob.Denied}, []string{"user/x is not authorized", "allow s3:", "request 4442587FB7D0A2F9"}},
		"InvalidAccessKeyId": {emulator.S3Error(403, "InvalidAccessKeyId", "The AWS access key ID that you provided does not exist in our records."),
			map[string]blob.Kind{"": blob.Denied}, []string{"AWS_ACCESS_KEY_ID"}},
		"SignatureDoesNotMatch": {emulator.S3Error(403, "SignatureDoesNotMatch", "The request signature that we calculated does not match.",
			"<StringToSign>"+planted+"</StringToSign>"), map[string]blob.Kind{"": blob.Denied}, []string{"AWS_SECRET_ACCESS_KEY"}},
		"ExpiredToken": {emulator.S3Error(400, "ExpiredToken", "The provided token has expired.", "<Token-0>"+planted+"</Token-0>"),
			map[string]blob.Kind{"": blob.Denied}, []string{"get new credentials"}},
		"RequestTimeTooSkewed": {emulator.S3Error(403, "RequestTimeTooSkewed", "The difference is too large.", "<ServerTime>2026-01-01T00:00:00Z</ServerTime>"),
			map[string]blob.Kind{"": blob.Denied}, []string{"set the clock"}},
		"Archived": {emulator.S3Error(403, "InvalidObjectState", "The operation is not valid for the object's storage class"),
			map[string]blob.Kind{"get": blob.Invalid}, []string{"restore it"}},
		"RegionInHeader": {faultproxy.Answer(301, region, "<Error><Code>PermanentRedirect</Code><Message>The bucket must be addressed otherwise.</Message></Error>"),
			map[string]blob.Kind{"": blob.Invalid}, []string{"is in the region eu-west-1, and us-east-1 was asked", "AWS_REGION=eu-west-1"}},
		"RegionInMessage": {emulator.S3Error(400, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'", "<Region>eu-west-1</Region>"),
			map[string]blob.Kind{"": blob.Invalid}, []string{"expecting 'eu-west-1'", "AWS_REGION"}},
		"RegionUnknown": {emulator.S3Error(400, "IllegalLocationConstraintException", "The location constraint is incompatible"),
			map[string]blob.Kind{"": blob.Invalid}, []string{"AWS_REGION"}},
		"SlowDown":      {emulator.S3Error(503, "SlowDown", "Please reduce your request rate."), map[string]blob.Kind{"": blob.Throttled}, nil},
		"InternalError": {emulator.S3Error(500, "InternalError", "We encountered an internal error."), map[string]blob.Kind{"": blob.Unavailable}, nil},
		"ServiceUnavailable": {emulator.S3Error(503, "ServiceUnavailable", "Please try again."),
			map[string]blob.Kind{"": blob.Unavailable, "stat": blob.Throttled}, nil},
		"RequestTimeout": {emulator.S3Error(400, "RequestTimeout", "Your socket connection was not read from."), map[string]blob.Kind{"": blob.Unavailable}, nil},
		"BadDigest":      {emulator.S3Error(400, "BadDigest", "The checksum did not match"), map[string]blob.Kind{"put": blob.Unavailable, "parts": blob.Unavailable}, nil},
		"Conflict": {emulator.S3Error(409, "ConditionalRequestConflict", "A conflicting operation occurred."),
			map[string]blob.Kind{"absent": blob.Unavailable, "swap": blob.Unavailable}, nil},
		"PreconditionFailed": {emulator.S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
			map[string]blob.Kind{"absent": blob.Exists, "swap": blob.Mismatch, "put": blob.Invalid}, nil},
		"NotImplemented": {emulator.S3Error(501, "NotImplemented", "A header you provided implies functionality that is not implemented"),
			map[string]blob.Kind{"": blob.Invalid}, []string{"all that mops needs"}},
		"KeyTooLong":   {emulator.S3Error(400, "KeyTooLongError", "Your key is too long"), map[string]blob.Kind{"put": blob.Invalid}, nil},
		"BadGateway":   {faultproxy.Answer(502, html, "<title>Bad gateway</title>"), map[string]blob.Kind{"": blob.Unavailable}, []string{"a proxy"}},
		"LoginPage":    {faultproxy.Answer(200, html, "<title>Welcome to the Airport</title>"), map[string]blob.Kind{"": blob.Unavailable}, []string{"a proxy"}},
		"Redirect":     {faultproxy.Answer(302, http.Header{"Location": {"http://login.example/"}}, ""), map[string]blob.Kind{"": blob.Unavailable}, []string{"a proxy"}},
		"NoETag":       {faultproxy.Answer(200, http.Header{"X-Amz-Request-Id": {"1"}}, ""), map[string]blob.Kind{"get": blob.Invalid, "stat": blob.Invalid, "put": blob.Invalid, "absent": blob.Invalid}, []string{"ETag"}},
		"OtherService": {faultproxy.Answer(404, http.Header{"Content-Type": {"application/json"}}, `{"error":"not found"}`), map[string]blob.Kind{"": blob.Invalid}, []string{"endpoint"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := behind(t)
			proxy.Strike(-1, c.fault, faultproxy.Any)
			for _, op := range slices.Sorted(maps.Keys(operations)) {
				want, ok := c.kinds[op]
				if !ok && op != "clock" {
					want, ok = c.kinds[""]
				}
				if !ok {
					continue
				}
				err := operations[op](t.Context(), s)
				if got := blob.KindOf(err); err == nil && want != none || err != nil && got != want {
					t.Errorf("%s: the kind is %q, and should be %q: %v", op, got, want, err)
				}
				for _, text := range c.text {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("%s: the error does not say %q: %v", op, text, err)
					}
				}
				if err != nil && strings.Contains(err.Error(), planted) {
					t.Errorf("%s: the error shows a secret: %v", op, err)
				}
			}
		})
	}
}

// A denied operation names the permission that it needs; for reading, the error
// says that a missing blob looks alike.
func TestPermissions(t *testing.T) {
	s, proxy := behind(t)
	proxy.Strike(-1, emulator.S3Error(403, "AccessDenied", "Access Denied"), faultproxy.Any)
	for op, text := range map[string]string{
		"get": "s3:ListBucket", "stat": "s3:ListBucket", "list": "s3:ListBucket", "put": "s3:PutObject", "parts": "s3:PutObject", "delete": "s3:DeleteObject",
	} {
		if err := operations[op](t.Context(), s); !strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error does not name %s: %v", op, text, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	s, proxy := behind(t)
	proxy.Strike(-1, faultproxy.Answer(503, http.Header{"Retry-After": {"7"}}, "<Error><Code>SlowDown</Code></Error>"), faultproxy.Any)
	_, err := s.Driver().Stat(t.Context(), "key")
	if e, ok := errors.AsType[*driver.Error](err); !ok || e.RetryAfter != 7*time.Second {
		t.Errorf("the error is %#v", err)
	}
}

// Whether a blob or its bucket is missing has to be asked where HEAD does not
// tell: one request for a blob that is there, two for one that is not.
func TestStatAsksAgain(t *testing.T) {
	s, proxy := behind(t)
	mustPut(t, s, "there", "x")
	for key, want := range map[string]int{"there": 1, "absent": 2} {
		proxy.Reset()
		s.Stat(t.Context(), key)
		if got := proxy.Requests(); got != want {
			t.Errorf("%s: %d requests rather than %d", key, got, want)
		}
	}
}

// A machine whose clock is off learns the time from the refusal, and goes on.
func TestSkewedClock(t *testing.T) {
	s, proxy := behind(t)
	mustPut(t, s, "key", "content")
	ahead := time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat)
	proxy.Strike(1, faultproxy.Answer(403, http.Header{"Date": {ahead}, "Content-Type": {"application/xml"}},
		"<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>"), faultproxy.Any)
	expect(t, s, "key", "content")
}
