package emulator

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// S3Error answers as S3 does when it refuses (Amazon S3 API Reference, "Error
// responses"). More is further elements of the answer.
func S3Error(status int, code, message string, more ...string) faultproxy.Fault {
	const id = "4442587FB7D0A2F9"
	return faultproxy.Answer(status, http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {id}},
		xml.Header+"<Error><Code>"+code+"</Code><Message>"+message+"</Message>"+strings.Join(more, "")+"<RequestId>"+id+"</RequestId></Error>")
}

// AzureError answers as the service does when it refuses
// (https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2).
func AzureError(status int, code, message string) faultproxy.Fault {
	const id = "7d1ab5c0-001e-0045-6c1f-5f6a4b000000"
	return faultproxy.Answer(status,
		http.Header{"Content-Type": {"application/xml"}, "x-ms-request-id": {id}, "x-ms-version": {"2026-12-06"}, "x-ms-error-code": {code}},
		"\ufeff"+`<?xml version="1.0" encoding="utf-8"?><Error><Code>`+code+"</Code><Message>"+message+"\nRequestId:"+id+"\nTime:2026-11-25T12:00:00.0000000Z</Message></Error>")
}

// GCSHeader is what every answer of Google's has, and one in JSON
// (https://cloud.google.com/storage/docs/json_api/v1/parameters).
var GCSHeader = http.Header{"X-Guploader-Uploadid": {"test-request"}, "Content-Type": {"application/json; charset=UTF-8"}}

// GCSError answers as the JSON API does when it refuses
// (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
func GCSError(status int, reason, message string) faultproxy.Fault {
	return faultproxy.Answer(status, GCSHeader, GCSErrorBody(status, reason, message))
}

// GCSErrorBody is what such an answer says.
func GCSErrorBody(status int, reason, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"message":%q,"domain":"global","reason":%q}]}}`, status, message, message, reason)
}
