package azureblob

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// The service's codes, by Microsoft's lists:
// https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
// and
// https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes.
func TestKinds(t *testing.T) {
	reading := []operation{opRead, opGet, opStat}
	for _, c := range []struct {
		status     int
		code       string
		operations []operation
		kind       blob.Kind // Other: it is no error
		says       string
	}{
		{404, "BlobNotFound", reading, blob.NotFound, ""},
		{404, "BlobNotFound", []operation{opDelete, opList}, blob.Other, ""},
		{404, "BlobNotFound", []operation{opSwap}, blob.Mismatch, ""},
		{404, "ContainerNotFound", operations, blob.Invalid, `no container "box" in the account "account"`},
		{409, "ContainerBeingDeleted", operations, blob.Invalid, "being deleted"},
		{404, "ResourceNotFound", reading, blob.NotFound, ""},
		{409, "BlobAlreadyExists", []operation{opIfAbsent}, blob.Exists, ""},
		{412, "ConditionNotMet", []operation{opIfAbsent}, blob.Exists, ""},
		{412, "ConditionNotMet", []operation{opSwap}, blob.Mismatch, ""},
		{412, "LeaseIdMissing", []operation{opPut, opIfAbsent, opSwap, opDelete}, blob.Denied, "lease break"},
		{409, "BlobImmutableDueToPolicy", []operation{opPut, opDelete}, blob.Denied, "immutability policy"},
		{409, "BlobArchived", reading, blob.Invalid, "archive"},
		{409, "BlobBeingRehydrated", reading, blob.Invalid, "archive"},
		{409, "ResourceTypeMismatch", []operation{opPut, opIfAbsent, opSwap}, blob.Invalid, "ResourceTypeMismatch"},
		{409, "DirectoryIsNotEmpty", []operation{opDelete}, blob.Other, ""},
		{400, "OperationNotSupportedOnDirectory", []operation{opDelete}, blob.Other, ""},
		{400, "OperationNotSupportedOnDirectory", reading, blob.NotFound, ""},
		{400, "OperationNotSupportedOnDirectory", []operation{opPut, opIfAbsent, opSwap}, blob.Invalid, ""},
		{403, "AuthorizationPermissionMismatch", operations, blob.Denied, "Storage Blob Data Contributor"},
		{403, "UnauthorizedBlobOverwrite", []operation{opPut}, blob.Denied, "Storage Blob Data Contributor"},
		{403, "AuthenticationFailed", operations, blob.Denied, "clock of this machine"},
		{403, "AuthorizationFailure", operations, blob.Denied, "network rules"},
		{403, "AuthorizationSourceIPMismatch", operations, blob.Denied, "SAS token"},
		{403, "KeyBasedAuthenticationNotPermitted", operations, blob.Denied, "az login"},
		{403, "AccountIsDisabled", operations, blob.Denied, "disabled"},
		{401, "InvalidAuthenticationInfo", operations, blob.Denied, "AZURE_TENANT_ID"},
		{400, "InvalidAuthenticationInfo", operations, blob.Denied, "AZURE_TENANT_ID"},
		{400, "Md5Mismatch", []operation{opPut, opIfAbsent, opSwap}, blob.Unavailable, "did not arrive as it was"},
		{400, "InvalidUri", operations, blob.Invalid, "InvalidUri"},
		{503, "ServerBusy", operations, blob.Throttled, "ServerBusy"},
		{429, "TooManyRequests", operations, blob.Throttled, "TooManyRequests"},
		{500, "OperationTimedOut", operations, blob.Unavailable, "OperationTimedOut"},
		{500, "InternalError", operations, blob.Unavailable, "InternalError"},
		{500, "", operations, blob.Unavailable, ""},
	} {
		s := service(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Retry-After", "7")
			refuse(w, c.status, c.code, "What the service says.")
		})
		for _, op := range c.operations {
			err := op.run(t.Context(), s)
			if c.kind == blob.Other {
				if err != nil {
					t.Errorf("%s: %d %s: %v", op.name, c.status, c.code, err)
				}
				continue
			}
			if !blob.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "request-1") {
				t.Errorf("%s: %d %s: %v", op.name, c.status, c.code, err)
				continue
			}
			if op.name != opStat.name && !strings.Contains(err.Error(), "What the service says") {
				t.Errorf("%s: %d %s: the message is missing: %v", op.name, c.status, c.code, err)
			}
			if strings.ContainsAny(err.Error(), "\n?") || strings.Contains(err.Error(), "hush") || len(err.Error()) > 500 {
				t.Errorf("%s: %d %s: that is more than should be shown: %v", op.name, c.status, c.code, err)
			}
			if sdk, ok := errors.AsType[*azcore.ResponseError](err); !ok || sdk.StatusCode != c.status {
				t.Errorf("%s: %d %s: the SDK's error is lost", op.name, c.status, c.code)
			}
			if c.kind == blob.Throttled {
				_, err := s.Driver().Stat(t.Context(), "key")
				if e, ok := errors.AsType[*driver.Error](err); !ok || e.RetryAfter != 7*time.Second {
					t.Errorf("Retry-After is lost: %v", err)
				}
			}
		}
	}
}

// With a SAS token the advice is about that, and tells no more of it than its end.
func TestRefusedSAS(t *testing.T) {
	var code atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, 403, code.Load().(string), "What the service says.")
	}))
	defer server.Close()
	for _, c := range []struct{ expiry, says string }{
		{"", "may have expired"}, {"soon", "may have expired"}, {"2999-01-01", "sp=racwdl"}, {"2999-01-01T00:00:00Z", "lack a permission"},
		{"2024-02-03", "has expired, at 2024-02-03T00:00:00Z"}, {"2024-02-03T04:05Z", "has expired, at 2024-02-03T04:05:00Z"},
		{"2024-02-03T04:05:06.7Z", "has expired, at 2024-02-03T04:05:06Z"},
	} {
		for _, name := range []string{"AuthenticationFailed", "AuthorizationFailure"} {
			code.Store(name)
			environment(t, map[string]string{"AZURE_STORAGE_SAS_TOKEN": "sv=2024&se=" + url.QueryEscape(c.expiry) + "&sig=hidden"})
			s := openRoot(t, "adls://account/box?endpoint="+server.URL+"/account")
			err := opRead.run(t.Context(), s)
			if !blob.Is(err, blob.Denied) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "account key") || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%s of a token until %q: %v", name, c.expiry, err)
			}
		}
	}
}

// Answers of strangers do not pass for the service's: above all, their 404 does
// not mean a missing blob.
func TestStrangers(t *testing.T) {
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Location", "/login")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		serve      http.HandlerFunc
		operations []operation
		kind       blob.Kind
		says       string
	}{
		"a hotel":             {answer(200, "text/html", "<title>Welcome</title>"), []operation{opRead, opGet, opIfAbsent, opList}, blob.Unavailable, `"Welcome"`},
		"a hotel, from afar":  {answer(302, "text/html", "<a href=/login>Found</a>"), []operation{opRead, opPut, opList}, blob.Unavailable, "web page"},
		"a proxy that is ill": {answer(502, "text/html", "<h1>Bad Gateway</h1>"), []operation{opRead, opPut, opList}, blob.Unavailable, "HTTP 502"},
		"another 302":         {answer(302, "text/plain", ""), operations, blob.Invalid, "does not look like Azure"},
		"another 404":         {answer(404, "text/plain", ""), operations, blob.Invalid, "does not look like Azure"},
		"another 403":         {answer(403, "text/plain", ""), operations, blob.Denied, "does not look like Azure"},
		"another 503":         {answer(503, "text/plain", ""), operations, blob.Throttled, "does not look like Azure"},
		"a fine answer":       {answer(200, "text/plain", "fine"), []operation{opRead, opStat, opList}, blob.Unavailable, ""},
	} {
		s := service(t, c.serve)
		for _, op := range c.operations {
			if err := op.run(t.Context(), s); !blob.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %v", name, op.name, err)
			}
		}
	}
}

// An answer that is not whole is never taken for one.
func TestOddAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(w http.ResponseWriter)
		op    operation
	}{
		"no ETag":        {func(w http.ResponseWriter) { w.Header().Del("ETag"); io.WriteString(w, "content") }, opRead},
		"no date":        {func(w http.ResponseWriter) { w.Header().Del("Last-Modified") }, opStat},
		"no ETag of put": {func(w http.ResponseWriter) { w.Header().Del("ETag"); w.WriteHeader(201) }, opPut},
		"no list":        {func(w http.ResponseWriter) { io.WriteString(w, "<EnumerationResults></EnumerationResults>") }, opList},
		"no XML":         {func(w http.ResponseWriter) { io.WriteString(w, "{}") }, opList},
		"half a list":    {func(w http.ResponseWriter) { io.WriteString(w, "<EnumerationResults><Blobs><Blob><Name>path/x</Name>") }, opList},
		"no properties": {func(w http.ResponseWriter) {
			io.WriteString(w, "<EnumerationResults><Blobs><Blob><Name>path/x</Name></Blob></Blobs></EnumerationResults>")
		}, opList},
	} {
		s := service(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			mark(w.Header())
			w.Header().Set("ETag", `"0x1"`)
			w.Header().Set("Last-Modified", "Wed, 25 Nov 2026 12:00:00 GMT")
			c.serve(w)
		})
		if err := c.op.run(t.Context(), s); !blob.Is(err, blob.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
