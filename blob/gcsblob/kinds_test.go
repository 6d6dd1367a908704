package gcsblob

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// operations are all that a store does, each on a blob that is there.
func operations(s *blob.Store, version blob.Version) map[string]func(context.Context) error {
	put := func(ctx context.Context, opts blob.PutOptions) error {
		_, err := s.PutBytes(ctx, "blob", []byte("content"), opts)
		return err
	}
	return map[string]func(context.Context) error{
		"read":   func(ctx context.Context) error { _, _, err := s.ReadAll(ctx, "blob", nil); return err },
		"part":   func(ctx context.Context) error { _, _, err := s.Get(ctx, "blob", blob.Range{Offset: 1}); return err },
		"stat":   func(ctx context.Context) error { _, err := s.Stat(ctx, "blob"); return err },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, "blob") },
		"list": func(ctx context.Context) (err error) {
			for _, err = range s.List(ctx, "", "") {
			}
			return err
		},
		"put":    func(ctx context.Context) error { return put(ctx, blob.PutOptions{}) },
		"absent": func(ctx context.Context) error { return put(ctx, blob.PutOptions{IfAbsent: true}) },
		"swap":   func(ctx context.Context) error { return put(ctx, blob.PutOptions{IfVersion: version}) },
	}
}

func inJSON(reason, message string) string {
	return `{"error":{"code":0,"message":"` + message + `","errors":[{"domain":"global","reason":"` + reason + `","message":"` + message + `"}]}}`
}

func inXML(code, message string) string {
	return "<?xml version='1.0' encoding='UTF-8'?><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>"
}

// The answers are those of the pages that refusal.kind names.
func TestKinds(t *testing.T) {
	server := emulator.GCS(t)
	root, proxy := server.Behind(t)
	s := openStore(t, root)
	info, err := s.PutBytes(t.Context(), "blob", []byte("content"), blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	own := http.Header{"X-GUploader-UploadID": {"id-for-support"}}
	html := http.Header{"Content-Type": {"text/html"}}
	all := "read part stat delete list put absent swap"
	for _, c := range []struct {
		name       string
		answer     faultproxy.Fault
		operations string
		kind       blob.Kind
		says       string
	}{
		{"no object", faultproxy.Answer(404, own, inXML("NoSuchKey", "The specified key does not exist.")), "read part", blob.NotFound, "NoSuchKey"},
		{"no object", faultproxy.Answer(404, own, inJSON("notFound", "No such object: b/o")), "stat", blob.NotFound, "No such object"},
		{"no bucket", faultproxy.Answer(404, own, inXML("NoSuchBucket", "The specified bucket does not exist.")), "read part", blob.Invalid, "gcloud storage buckets create gs://test-"},
		{"no bucket", faultproxy.Answer(404, own, inJSON("notFound", "The specified bucket does not exist.")), "stat delete list put absent swap", blob.Invalid, "gcloud storage buckets create gs://test-"},
		{"no bucket, otherwise said", faultproxy.Answer(404, own, inJSON("notFound", "Not found")), "list put absent swap", blob.Invalid, "gcloud storage buckets create gs://test-"},
		{"no bucket, not said", faultproxy.Answer(404, nil, ""), "list put absent swap", blob.Invalid, "gcloud storage buckets create gs://test-"},
		{"condition", faultproxy.Answer(412, own, inJSON("conditionNotMet", "At least one of the pre-conditions you specified did not hold.")), "absent", blob.Exists, ""},
		{"condition", faultproxy.Answer(412, own, inJSON("conditionNotMet", "At least one of the pre-conditions you specified did not hold.")), "swap", blob.Mismatch, ""},
		{"credentials", faultproxy.Answer(401, own, inJSON("authError", "Invalid Credentials")), all, blob.Denied, "gcloud auth application-default login"},
		{"permission", faultproxy.Answer(403, own, inXML("AccessDenied", "a@b does not have storage.objects.get access to the object.")), "read part", blob.Denied, "roles/storage.objectUser"},
		{"permission", faultproxy.Answer(403, own, inJSON("forbidden", "a@b does not have storage.objects.create access to the bucket.")), "stat delete list put absent swap", blob.Denied, "roles/storage.objectUser"},
		{"object rate", faultproxy.Answer(429, own, inJSON("rateLimitExceeded", "The object exceeded the rate limit for object mutation operations.")), all, blob.Throttled, "id-for-support"},
		{"quota", faultproxy.Answer(403, own, inJSON("userRateLimitExceeded", "User Rate Limit Exceeded")), all, blob.Throttled, ""},
		{"concurrent", faultproxy.Answer(409, own, inJSON("conflict", "The metadata for the object was edited during the operation. Please try again.")), "put absent swap", blob.Unavailable, "try again"},
		{"timeout", faultproxy.Answer(408, own, inJSON("requestTimeout", "Request Timeout")), all, blob.Unavailable, "HTTP 408"},
		{"checksum", faultproxy.Answer(400, own, inJSON("invalid", "Provided CRC32C 'AA==' doesn't match calculated CRC32C 'BB=='.")), "put absent swap", blob.Unavailable, "CRC32C"},
		{"request", faultproxy.Answer(400, own, inJSON("invalid", "Invalid argument.")), all, blob.Invalid, "Invalid argument"},
		{"internal", faultproxy.Answer(500, own, inJSON("internalError", "We encountered an internal error. Please try again.")), all, blob.Unavailable, "internal error"},
		{"gateway", faultproxy.Answer(502, html, "<html><title>Error 502 (Server Error)!!1</title></html>"), all, blob.Unavailable, "502"},
		{"busy", faultproxy.Answer(503, own, inJSON("backendError", "Backend Error")), all, blob.Throttled, "Backend Error"},
		{"page", faultproxy.Answer(200, html, "<html><title>Log in to the hotel</title></html>"), all, blob.Unavailable, "Log in to the hotel"},
		{"page", faultproxy.Answer(404, html, "<html>What is it?</html>"), all, blob.Unavailable, "a proxy or a login page"},
		{"other service", faultproxy.Answer(200, nil, `{"status":"ok"}`), "read part stat put absent swap", blob.Unavailable, "a proxy or a login page"},
		{"redirect", faultproxy.Answer(302, http.Header{"Location": {"https://login.hotel/?token=secret"}}, ""), all, blob.Unavailable, `redirects to "login.hotel"`},
		{"connection", faultproxy.Drop(), all, blob.Unavailable, "connection"},
	} {
		for _, operation := range strings.Fields(c.operations) {
			t.Run(c.name+"/"+operation, func(t *testing.T) {
				proxy.Reset()
				proxy.Strike(-1, c.answer, faultproxy.Any)
				err := operations(s, info.Version)[operation](t.Context())
				if !blob.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("it is %q, and should be %q and say %q: %v", blob.KindOf(err), c.kind, c.says, err)
				}
				if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "ifGenerationMatch")) {
					t.Errorf("it shows a query: %v", err)
				}
				if n := proxy.Requests(); n > 2 {
					t.Errorf("it was asked for %d times: trying again is not for the driver", n)
				}
			})
		}
	}
}

func TestRetryAfter(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	proxy.Strike(-1, faultproxy.Answer(429, http.Header{"Retry-After": {"7"}}, inJSON("rateLimitExceeded", "slow down")), faultproxy.Any)
	_, err := s.Driver().Stat(t.Context(), "blob")
	if e, ok := errors.AsType[*driver.Error](err); !ok || e.RetryAfter != 7*time.Second {
		t.Errorf("it does not say to wait 7 s: %v", err)
	}
}

func TestOneRequestEach(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	info, err := s.PutBytes(t.Context(), "blob", []byte("content"), blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, operation := range operations(s, info.Version) {
		proxy.Reset()
		if err := operation(t.Context()); err != nil && !blob.Is(err, blob.Exists) && !blob.Is(err, blob.NotFound) && !blob.Is(err, blob.Mismatch) {
			t.Errorf("%s: %v", name, err)
		}
		if n := proxy.Requests(); n != 1 {
			t.Errorf("%s takes %d requests", name, n)
		}
	}
}
