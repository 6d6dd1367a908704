package doctor

import (
	"context"
	"errors"
	"regexp"

	"github.com/TrilliantHealth/mops-go/blob"
)

// permissions are what a root needs, in the words of its provider.
var permissions = map[string]string{
	"s3":   "see which credentials are used (AWS_PROFILE, AWS_ACCESS_KEY_ID, the role of the machine), and that their policy allows s3:GetObject, s3:PutObject and s3:DeleteObject on the path, and s3:ListBucket on the bucket",
	"adls": "see which credentials are used (az login, AZURE_CLIENT_ID, a managed identity, a key or SAS), and that they have the role Storage Blob Data Contributor on the container",
	"gs":   "see which credentials are used (gcloud auth application-default login, GOOGLE_APPLICATION_CREDENTIALS), and that they have the role Storage Object User on the bucket",
	"file": "let this user, or a group of it, read, write and enter the folder and all below: chgrp -R GROUP, chmod -R g+rX, and chmod g+ws for the folders",
}

// wellFormed are roots that name a place; what is wrong with such a root, its error
// says better.
var wellFormed = regexp.MustCompile(`(?i)^(file:///|(s3|gs)://[^/]|adls://[^/]+/[^/])`)

// toDo is what to do about an error of a first contact.
func (e *exam) toDo(step string, err error) string {
	allowed, known := permissions[e.scheme()]
	if !known {
		allowed = "see which credentials are used, and that they may read, write, list and delete"
	}
	kind := blob.KindOf(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "something accepts the connection and then says nothing: check endpoint, proxy and firewall"
	case step == "conditions" && kind != blob.Denied && kind != blob.Unavailable && kind != blob.Throttled:
		return unfitConditions
	case kind == blob.Denied && step == "write":
		return "to use what is there, MOPS_READ_ONLY=1 will do: reading works; to keep results here, " + allowed
	case kind == blob.Denied && step == "delete":
		return "programs do without, but mops gc and this examination do not, which wrote nothing more for that reason; " + allowed
	case kind == blob.Denied && step == "list":
		return "calls do without, but mops ls, logs, why and gc do not; " + allowed
	case kind == blob.Denied:
		return allowed
	case kind == blob.NotFound && (step == "read" || step == "delete"): // a write has passed
		return unfaithful
	case kind == blob.NotFound:
		return "the bucket, container or folder is not there: make it, or correct the root"
	case kind == blob.Unavailable:
		return "see that its name is right (account, bucket, region, endpoint), that it runs, and that network and proxy let you through"
	case kind == blob.Throttled:
		return "others use up what it allows: try again later, or raise its limits"
	case kind == blob.Invalid && step == "open" && !wellFormed.MatchString(e.store.Root()):
		return "correct the root: its form is file:///folder, s3://bucket/path, adls://account/container/path or gs://bucket/path"
	case kind == blob.Invalid:
		return "do as it says; docs/stores.md has what each kind of store needs"
	}
	return "this is no store to keep results in, or something between here and there changes what is said"
}

// The ways in which a store is unfit, and which checks tell.
const (
	unfaithful      = "what was written cannot be read: a cache between here and there answers, or the service is not faithful. Do not keep results here"
	unfitConditions = "conditional writes do not work: two programs may compute one call, and one replace what the other has put. Use a store, or a version of it, that heeds If-None-Match and If-Match in a PUT, and see that no proxy takes them out"
	unfitLists      = "mops ls, logs, why and gc may overlook things; calls do not list. Is there a cache or proxy in between?"
	unfitBodies     = "what is read may not be what was written. Do not keep results here; is there a cache or proxy in between?"
	unfitNames      = "files that a function returns may get lost if they have such names. Is there a proxy in between that changes paths?"
	unfitAnyhow     = "programs may be told something wrong. Do not keep results here unless you know why it is harmless"
)

var unfit = map[string]string{
	"PutIfAbsent": unfitConditions, "Swap": unfitConditions, "SwapOften": unfitConditions,
	"Reborn": unfitConditions, "BothConditions": unfitConditions, "OneWinner": unfitConditions, "NoLostSwap": unfitConditions,
	"List": unfitLists, "ListInfo": unfitLists, "ListBreak": unfitLists, "ListNothing": unfitLists,
	"ReadBack": unfitBodies, "Empty": unfitBodies, "Overwrite": unfitBodies, "Ranges": unfitBodies, "BigBody": unfitBodies, "WrongSize": unfitBodies,
	"FailingBody": unfitBodies, "CloseEarly": unfitBodies, "WholeWhileOverwritten": unfitBodies, "LocalPath": unfitBodies,
	"OddKeys": unfitNames, "InvalidKeys": unfitNames,
}

// secret is what a signed request has in its URL, and a connection string has as a
// whole. Drivers leave such things out of their errors; this is for those that
// forget.
var secret = regexp.MustCompile(`(?i)((?:[?&;\s]|^)(?:sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|accountkey|sharedaccesssignature|password|secret|token)=)[^&;\s"']+`)

// user is that of a URI, with a password most often.
var user = regexp.MustCompile(`://[^/\s@]+@`)

func scrub(text string) string {
	return user.ReplaceAllString(secret.ReplaceAllString(text, "$1…"), "://…@")
}
