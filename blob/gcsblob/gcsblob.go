// Package gcsblob keeps blobs in Google Cloud Storage. A program that imports
// it opens roots such as
//
//	gs://bucket
//	gs://bucket/path
//	gs://bucket/path?endpoint=https://storage.example.com
//
// It stands beside the other drivers of package blob, upon package cloud, which
// they share.
//
// # Credentials
//
// They are Application Default Credentials. The driver looks for them at the
// first operation, in this order
// (https://cloud.google.com/docs/authentication/application-default-credentials):
//
//  1. the file that GOOGLE_APPLICATION_CREDENTIALS names: a key of a service
//     account, workload identity federation, impersonation, …
//  2. the file that `gcloud auth application-default login` writes
//  3. the service account of the machine or pod, from the metadata server:
//     Compute Engine, Cloud Run, GKE with workload identity
//
// GOOGLE_CLOUD_QUOTA_PROJECT, or the file's quota_project_id, names the project
// that pays for the requests. If there is no token, operations fail as Denied,
// at once; if there is none for now, as Unavailable.
//
// # Endpoint
//
// The parameter endpoint is for emulators, Private Service Connect and other
// clouds that speak the same. Without it, STORAGE_EMULATOR_HOST counts, as for
// Google's libraries. The driver sends no credentials to that, nor to an
// http:// endpoint.
//
// # Permissions
//
// The role Storage Object User (roles/storage.objectUser) on the bucket has all
// permissions that are needed: storage.objects.create, get, list and delete
// (replacing a blob is deleting it). Without list, the service answers 403
// rather than 404 for a missing object, and nothing works. For reading only:
// Storage Object Viewer.
//
// # What maps to what
//
// A version is an object's generation, which every write changes. IfAbsent and
// IfVersion are the precondition on it (ifGenerationMatch), for large blobs,
// too. ModTime is the time of the write in whole seconds, since a read tells no
// more.
//
// One object takes about one write a second
// (https://cloud.google.com/storage/quotas#objects). The service answers more
// with 429 now and then, which is Throttled here; blob.Retry tries again. mops
// stays far below with its leases, and its sessions, written every 8 s.
//
// A blob of more than 5 MiB goes up in parts, side by side. They are objects of
// their own in the root's folder mops1-scratch/; then the service composes them
// into one under the precondition. Nothing else has both: XML multipart uploads
// know no preconditions
// (https://cloud.google.com/storage/docs/multipart-uploads), and a resumable
// upload is one stream. The composition deletes the parts in the same step, for
// good, so neither soft delete nor a minimum storage duration makes them cost
// (https://cloud.google.com/storage/docs/composing-objects). A crash leaves
// parts there: let a lifecycle rule delete them after a day.
//
// # Why not the SDK
//
// The credentials are those of Google's cloud.google.com/go/auth; the requests,
// of six kinds, are made here. When it reads, cloud.google.com/go/storage takes
// a missing bucket for a missing object, which to mops is a result that is not
// there yet. And it brings gRPC and OpenTelemetry: each worker process would
// start 8 ms later rather than 0.3, and be larger by 42 MB rather than 3 (4 ms
// and 22 MB with its build tag disable_grpc_modules). On an emulator, a read
// here takes 0.75 of its time, a swap 0.55 (bench_test.go).
package gcsblob

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

func init() { blob.Register("gs", open) }

// google is the address of the service, for both of its APIs.
const google = "https://storage.googleapis.com"

// longestName is the length of the longest name of an object, in bytes
// (https://cloud.google.com/storage/docs/objects#naming).
const longestName = 1024

// isBucket leaves the finer points of
// https://cloud.google.com/storage/docs/buckets#naming to the service.
func isBucket(name string) bool {
	const inside = "abcdefghijklmnopqrstuvwxyz0123456789._-"
	return len(name) >= 3 && len(name) <= 222 && strings.Trim(name, inside) == "" && strings.Trim(name, "._-") == name
}

type store struct {
	address   cloud.Address
	endpoint  string  // without a trailing slash
	tokens    *tokens // nil: none are sent
	transport *cloud.Transport
	pageSize  string // of a list
}

func open(_ context.Context, uri string) (driver.Store, error) {
	address, err := cloud.Parse(uri, "endpoint")
	if err != nil {
		return nil, err
	}
	if !isBucket(address.Host) {
		return nil, cloud.Invalid("%q is no name of a bucket: a root is like gs://bucket/folder", address.Host)
	}
	endpoint, trusted, err := endpoint(address.Query["endpoint"], os.Getenv("STORAGE_EMULATOR_HOST"))
	if err != nil {
		return nil, err
	}
	s := &store{address: address, endpoint: endpoint, transport: &cloud.Transport{Own: isOwn}, pageSize: "1000"}
	if trusted {
		s.tokens = newTokens()
	}
	return s, nil
}

// endpoint is where to send requests, and whether tokens may go there.
func endpoint(chosen, emulator string) (url string, trusted bool, err error) {
	switch {
	case chosen != "":
		return strings.TrimRight(chosen, "/"), strings.HasPrefix(chosen, "https://"), nil
	case emulator == "":
		return google, true, nil
	case !strings.Contains(emulator, "://"):
		emulator = "http://" + emulator
	}
	if err := cloud.ValidEndpoint(emulator); err != nil {
		return "", false, cloud.Invalid("STORAGE_EMULATOR_HOST is not like localhost:4443")
	}
	return strings.TrimRight(emulator, "/"), false, nil
}

// Root is the root as the store's errors and links name it.
func (s *store) Root() string { return s.address.Root() }

// Address is the URI by which another process opens the root.
func (s *store) Address() string { return s.address.URI() }

// Identity tells apart equal roots at different endpoints.
func (s *store) Identity() string {
	return strings.TrimSuffix(s.endpoint+"/"+s.address.Host+"/"+s.address.Path, "/")
}

func (s *store) Now(ctx context.Context) (time.Time, error) {
	return s.transport.Clock.Now(ctx, func(ctx context.Context) error {
		_, err := s.Stat(ctx, "clock") // any answer has a date
		return err
	})
}

// Close does nothing: connections are shared, and close by themselves.
func (s *store) Close() error { return nil }

// name is the name of a blob's object.
func (s *store) name(key string) (string, error) {
	name, err := s.address.Key(key, longestName)
	if err == nil && strings.HasPrefix(name, ".well-known/acme-challenge/") {
		err = cloud.Invalid("the service allows no names that begin with .well-known/acme-challenge/")
	}
	return name, err
}
