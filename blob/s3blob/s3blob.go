// Package s3blob keeps blobs in Amazon S3, and in stores that speak its
// language, under URIs such as s3://bucket/folder. It is a driver below package
// blob; importing it registers the scheme s3.
//
// # Where
//
// The root may have parameters, none of them secret:
// s3://bucket/folder?region=eu-west-1.
//
//   - region: of the bucket; otherwise AWS_REGION, then the profile's
//   - endpoint: the URL of another service than AWS's, such as
//     https://minio.example.com:9000; otherwise AWS_ENDPOINT_URL_S3, then
//     AWS_ENDPOINT_URL, then the profile's endpoint_url
//   - path_style: true if the bucket stands in the path of a URL, false if in
//     the host's name; default: true with an endpoint, else false
//
// # Who
//
// Credentials come from the default chain of the AWS SDK for Go; the first that
// exist count: AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (and
// AWS_SESSION_TOKEN); AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN (EKS); the
// profile AWS_PROFILE in ~/.aws/credentials and ~/.aws/config (keys, roles,
// SSO, credential_process); AWS_CONTAINER_CREDENTIALS_* (ECS, EKS Pod
// Identity); the role of the EC2 machine. The driver asks for them at the first
// operation, and renews them in time.
//
// They need s3:GetObject, s3:PutObject, s3:DeleteObject and
// s3:AbortMultipartUpload on the objects, and s3:ListBucket on the bucket:
// without the last one S3 answers AccessDenied for a missing object, so every
// miss looks like a refusal. Signatures do not give the secret key away, so
// http:// endpoints are allowed; others on the way can read the blobs.
//
// # What maps to what
//
// A blob is an object whose key is the folder of the root and the blob's key.
// Put is PutObject, or an upload in parts for more than 5 MiB; Get, GetObject;
// Stat, HeadObject; List, ListObjectsV2; Delete, DeleteObject. IfAbsent is
// If-None-Match: *, IfVersion is If-Match. Directory buckets (S3 Express) are
// refused: they list in no order.
//
// The version of a blob is its ETag. S3 makes it from the content (for uploads
// in parts, from the content of the parts and their number), so a write of
// equal content does not change it. S3 has no condition on anything else:
// neither on the date nor on the id of a version. So a writer that swaps has to
// put a nonce into the content, as all records do that mops swaps: without it,
// a writer that holds a version cannot tell that others have replaced the blob
// and put the same bytes back.
//
// Some stores that speak S3's language ignore conditions. So the driver tries
// out an endpoint that is not AWS's before the first conditional put; see
// probe.
package s3blob

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

func init() { blob.Register("s3", open) }

// maxKey is the length of the longest key of an object, in bytes (Amazon S3
// User Guide, "Naming Amazon S3 objects").
const maxKey = 1024

type store struct {
	address   cloud.Address // its host is the bucket
	endpoint  string        // "" for AWS's own
	region    string
	transport cloud.Transport
	client    *s3.Client

	heeds struct{ whole, parts verdict } // conditions on objects that are put whole, and in parts
}

var (
	_ driver.Slurper    = (*store)(nil)
	_ driver.Clock      = (*store)(nil)
	_ driver.Identified = (*store)(nil)
)

// open reads the configuration and touches no network.
func open(ctx context.Context, uri string) (driver.Store, error) {
	address, err := cloud.Parse(uri, "endpoint", "path_style", "region", "conditions")
	if err != nil {
		return nil, err
	}
	if err := validBucket(address.Host); err != nil {
		return nil, err
	}
	s := &store{address: address}
	s.heeds.whole.turn, s.heeds.parts.turn = make(chan struct{}, 1), make(chan struct{}, 1)
	if c, given := address.Query["conditions"]; given && c != "heeded" {
		return nil, cloud.Invalid("the parameter conditions is heeded, where the endpoint was tried out before, or left out")
	}
	s.transport.Own = func(h http.Header) bool { return h.Get("X-Amz-Request-Id") != "" }
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// S3's own rules are narrower (User Guide, "General purpose bucket naming
// rules"); those of old buckets and of other stores are not. The length is
// checked apart from the expression, which would spell it out and cost each
// start of a program a millisecond.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]+$`)

func validBucket(name string) error {
	switch {
	case strings.HasSuffix(name, "--x-s3"):
		return cloud.Invalid("%s is a directory bucket (S3 Express One Zone), which lists in no order: take a general purpose bucket", name)
	case len(name) > 255 || !bucketName.MatchString(name):
		return cloud.Invalid("%q is no name of a bucket: a root is like s3://bucket/folder; for an access point take its alias", name)
	}
	return nil
}

// Root is the URI of the root without parameters.
func (s *store) Root() string { return s.address.Root() }

// Address is the URI of the root with all that another process would otherwise
// take from our environment or profile to reach it. None of it is secret.
func (s *store) Address() string {
	full := s.address
	full.Query = maps.Clone(full.Query)
	if s.region != "" {
		full.Query["region"] = s.region
	}
	if s.endpoint != "" {
		full.Query["endpoint"] = s.endpoint
	}
	if s.endpoint != "" && s.heeds.whole.trusted.Load() {
		full.Query["conditions"] = "heeded"
	}
	return full.URI()
}

// Identity adds the service: names of buckets are unique within a partition of
// AWS, or an endpoint.
func (s *store) Identity() string {
	service := s.endpoint
	switch {
	case service != "":
	case strings.HasPrefix(s.region, "cn-"):
		service = "aws-cn"
	case strings.HasPrefix(s.region, "us-gov-"):
		service = "aws-us-gov"
	default:
		service = "aws"
	}
	return s.Root() + " at " + service
}

// Now is the time by the clock of S3.
func (s *store) Now(ctx context.Context) (time.Time, error) {
	return s.transport.Clock.Now(ctx, func(ctx context.Context) error {
		_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.address.Host})
		return s.failure(err)
	})
}

// Delete removes a blob. If the bucket keeps versions, they stay.
func (s *store) Delete(ctx context.Context, key string) error {
	name, err := s.name(key)
	if err != nil {
		return err
	}
	_, err = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.address.Host, Key: name})
	if err = s.failure(err); blob.Is(err, driver.NotFound) {
		return nil // S3 never says so, others may
	}
	return err
}

// Close does nothing: all stores of the process share connections.
func (s *store) Close() error { return nil }

func (s *store) name(key string) (*string, error) {
	name, err := s.address.Key(key, maxKey)
	return &name, err
}

// describe makes an Info from the fields of an answer. Without an ETag nothing
// could be swapped: an empty version is no condition.
func describe(key string, size *int64, modified *time.Time, etag *string) (driver.Info, error) {
	info := driver.Info{Key: key, Size: aws.ToInt64(size), ModTime: aws.ToTime(modified), Version: version(etag)}
	if size == nil || info.Version == "" {
		return info, cloud.Invalid("an answer has no Content-Length or no ETag: a proxy is in between, or the endpoint is no S3 service")
	}
	return info, nil
}

// version is an ETag without its quotes, which some services leave out.
func version(etag *string) driver.Version {
	return driver.Version(strings.Trim(aws.ToString(etag), `"`))
}
