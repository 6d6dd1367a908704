package azureblob

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

const scheme = "adls"

func init() { blob.Register(scheme, open) }

// maxName is the length of the longest name of a blob: 1,024 characters, taken
// for bytes here
// (https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata).
const maxName = 1024

type store struct {
	place     place
	transport *cloud.Transport
	client    *container.Client
	token     *sasToken    // nil for other credentials
	namespace atomic.Int32 // flat, hierarchical, or not known yet
	pageSize  int32        // of lists; 0 for the service's, 5,000
}

// open makes a client; it sends nothing before the first operation.
func open(_ context.Context, uri string) (driver.Store, error) {
	where, err := parse(uri)
	if err != nil {
		return nil, err
	}
	allowed, err := credentialsOf(&where)
	if err != nil {
		return nil, err
	}
	s := &store{place: where, token: allowed.token, transport: &cloud.Transport{Own: isAzure}}
	if s.client, err = allowed.client(where, s.transport, newEntra(where)); err != nil {
		return nil, err
	}
	return s, nil
}

// isAzure reports whether a response carries the marks of the service, which
// puts these headers on all of them
// (https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2).
func isAzure(h http.Header) bool {
	return h.Get("x-ms-request-id") != "" || h.Get("x-ms-version") != ""
}

// Root is the root URI in its proper form.
func (s *store) Root() string { return s.place.root }

// Address is the root URI with its query, which is never secret.
func (s *store) Address() string { return s.place.uri }

// Identity tells apart stores whose roots are the same.
func (s *store) Identity() string { return s.place.identity() }

func (s *store) blob(key string) (*blockblob.Client, error) {
	name, err := s.place.address.Key(key, maxName)
	if err != nil {
		return nil, err
	}
	return s.client.NewBlockBlobClient(name), nil
}

// Delete removes a blob, with its snapshots. A missing blob is no error, nor is
// a folder of a hierarchical namespace, which is no blob.
func (s *store) Delete(ctx context.Context, key string) error {
	client, err := s.blob(key)
	if err != nil {
		return err
	}
	snapshots := azblob.DeleteSnapshotsOptionTypeInclude
	_, err = client.Delete(ctx, &azblob.DeleteOptions{DeleteSnapshots: &snapshots})
	if err = s.failure(err); blob.Is(err, blob.NotFound) || codeOf(err) == codeFullFolder {
		return nil
	}
	return err
}

// Now is the time by the service's clock, which dates its responses and the
// blobs.
func (s *store) Now(ctx context.Context) (time.Time, error) {
	return s.transport.Clock.Now(ctx, func(ctx context.Context) error {
		_, err := s.Stat(ctx, "clock") // there is probably no such blob: that answer has a date, too
		return err
	})
}

// Close does nothing: connections belong to the process.
func (s *store) Close() error { return nil }
