package azureblob

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// Codes of hierarchical namespaces, which the SDK does not list: a folder has
// the blob's name, and a folder to be deleted is not empty.
const (
	codeFolder     bloberror.Code = "OperationNotSupportedOnDirectory"
	codeFullFolder bloberror.Code = "DirectoryIsNotEmpty"
)

// meaning is the kind of a code of the service, and what to do about it.
type meaning struct {
	kind driver.Kind
	mend string // may name %[1]s, the container, and %[2]s, the account
}

const (
	mendRole = "the credentials lack a permission: with Entra, give them the role Storage Blob Data Contributor on the container; a SAS token needs r, a, c, w, d and l"
	mendKey  = "the account key is wrong, or the clock of this machine is off by more than 15 minutes"
	mendSAS  = "the SAS token is not valid for this: it must be for blobs of this container, from this address, by this protocol"
	mendWho  = "the account does not know these credentials: check that AZURE_TENANT_ID is the account's tenant, and the endpoint in the same cloud"
	mendHold = "somebody holds an Azure lease on the blob, which mops does not use: az storage blob lease break ends it"
	mendCold = "the blob is in the archive tier: bring it back with az storage blob set-tier, and keep lifecycle rules from archiving what is below this root"
	mendGone = "there is no container %[1]q in the account %[2]q, or it is being deleted: correct the root, or make it with az storage container create"
)

// meanings are the codes that mean more than their HTTP status; putFailure
// handles conditions
// (https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
// and
// https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes).
var meanings = map[bloberror.Code]meaning{
	bloberror.BlobNotFound:                          {kind: driver.NotFound},
	bloberror.ResourceNotFound:                      {kind: driver.NotFound},
	codeFolder:                                      {kind: driver.NotFound},
	bloberror.ContainerNotFound:                     {driver.Invalid, mendGone},
	bloberror.ContainerBeingDeleted:                 {driver.Invalid, mendGone},
	bloberror.ContainerDisabled:                     {driver.Invalid, mendGone},
	bloberror.BlobArchived:                          {driver.Invalid, mendCold},
	bloberror.BlobBeingRehydrated:                   {driver.Invalid, mendCold},
	bloberror.AuthorizationPermissionMismatch:       {driver.Denied, mendRole},
	bloberror.InsufficientAccountPermissions:        {driver.Denied, mendRole},
	bloberror.UnauthorizedBlobOverwrite:             {driver.Denied, mendRole},
	bloberror.AuthenticationFailed:                  {driver.Denied, mendKey},
	bloberror.InvalidAuthenticationInfo:             {driver.Denied, mendWho},
	bloberror.NoAuthenticationInformation:           {driver.Denied, mendWho},
	bloberror.AuthorizationFailure:                  {driver.Denied, "the account's network rules keep this machine out, or the account key is wrong"},
	bloberror.AuthorizationProtocolMismatch:         {driver.Denied, mendSAS},
	bloberror.AuthorizationResourceTypeMismatch:     {driver.Denied, mendSAS},
	bloberror.AuthorizationServiceMismatch:          {driver.Denied, mendSAS},
	bloberror.AuthorizationSourceIPMismatch:         {driver.Denied, mendSAS},
	"KeyBasedAuthenticationNotPermitted":            {driver.Denied, "the account takes no account keys: unset AZURE_STORAGE_KEY and AZURE_STORAGE_CONNECTION_STRING, and run az login"},
	bloberror.AccountIsDisabled:                     {driver.Denied, "the account is disabled"},
	bloberror.BlobImmutableDueToPolicy:              {driver.Denied, "an immutability policy protects the blob; mops writes over its leases and sessions, so its root must not be under one"},
	bloberror.LeaseIDMissing:                        {driver.Denied, mendHold},
	bloberror.LeaseIDMismatchWithBlobOperation:      {driver.Denied, mendHold},
	bloberror.LeaseIDMismatchWithContainerOperation: {driver.Denied, mendHold},
	bloberror.ServerBusy:                            {kind: driver.Throttled},
	bloberror.OperationTimedOut:                     {kind: driver.Unavailable},
	bloberror.InternalError:                         {kind: driver.Unavailable},
	bloberror.MD5Mismatch:                           {driver.Unavailable, "what was sent did not arrive as it was"},
}

// failure turns an error of the SDK into one of package driver.
func (s *store) failure(err error) error {
	e, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return s.transport.Failure(err)
	}
	if !isAzure(e.RawResponse.Header) {
		return s.stranger(e)
	}
	code := bloberror.Code(e.ErrorCode)
	m, known := meanings[code]
	if !known {
		m.kind = cloud.KindOfStatus(e.StatusCode)
	}
	if m.kind == driver.Other { // an answer that is neither a refusal nor the expected one
		m.kind = driver.Unavailable
	}
	if s.token != nil && (code == bloberror.AuthenticationFailed || code == bloberror.AuthorizationFailure) {
		m.mend = s.token.mend(time.Now())
	}
	text := said(e)
	if m.mend != "" {
		mend := m.mend
		if strings.Contains(mend, "%") {
			mend = fmt.Sprintf(mend, s.place.container, s.place.account)
		}
		text = mend + " (" + text + ")"
	}
	return &driver.Error{Kind: m.kind, RetryAfter: cloud.RetryAfter(e.RawResponse.Header), Err: shortened{text, e}}
}

// stranger is an error that does not come from the service: from a proxy on the
// way, or from something else at the endpoint.
func (s *store) stranger(e *azcore.ResponseError) error {
	kind := cloud.KindOfStatus(e.StatusCode)
	if kind == driver.NotFound || kind == driver.Other {
		kind = driver.Invalid // NotFound would pass for a missing blob
	}
	return &driver.Error{Kind: kind, RetryAfter: cloud.RetryAfter(e.RawResponse.Header), Err: shortened{fmt.Sprintf(
		"HTTP %d from %s, which does not look like Azure Blob Storage: check the endpoint, and the proxy if there is one", e.StatusCode, s.place.endpoint.Host), e}}
}

// said is the service's own words: the code, the message without the lines that
// repeat it, and the request's identifier for Microsoft's support. It leaves
// out the details: for a wrong signature they hold the signature.
func said(e *azcore.ResponseError) string {
	var body struct{ Message string }
	if payload, err := runtime.Payload(e.RawResponse); err == nil {
		_ = xml.Unmarshal(payload, &body)
	}
	message, _, _ := strings.Cut(strings.TrimSpace(body.Message), "\n")
	if message == "" {
		message = http.StatusText(e.StatusCode)
	}
	code := e.ErrorCode
	if code == "" {
		code = "no code"
	}
	return fmt.Sprintf("%s: %s, HTTP %d, request %s", code, strings.TrimRight(message, ".\r "), e.StatusCode, e.RawResponse.Header.Get("x-ms-request-id"))
}

// codeOf is the service's code for the failure; "" if the error is not the
// service's.
func codeOf(err error) bloberror.Code {
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return bloberror.Code(e.ErrorCode)
	}
	return ""
}

// putFailure is failure for a put, whose conditions may have been broken. The
// service says BlobAlreadyExists or ConditionNotMet if there is a blob that
// must not be there, and ConditionNotMet if there is another one than there
// should be, or none
// (https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations).
func (s *store) putFailure(err error, opts driver.PutOptions) error {
	kind := driver.Other
	switch code := codeOf(err); {
	case opts.IfAbsent && (code == bloberror.BlobAlreadyExists || code == bloberror.ConditionNotMet):
		kind = driver.Exists
	case opts.IfVersion != "" && (code == bloberror.ConditionNotMet || code == bloberror.BlobNotFound):
		kind = driver.Mismatch
	case code == codeFolder:
		kind = driver.Invalid
	}
	err = s.failure(err)
	if e, ok := errors.AsType[*driver.Error](err); ok && kind != driver.Other {
		e.Kind = kind
	}
	return err
}
