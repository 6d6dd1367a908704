package s3blob

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

var validRegion = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// connect makes the client from the root's parameters, the environment and the
// files of the user's profile.
func (s *store) connect(ctx context.Context) error {
	given := s.address.Query
	pathStyle, err := strconv.ParseBool(cmp.Or(given["path_style"], "false"))
	if err != nil {
		return cloud.Invalid("path_style is true or false")
	}
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(given["region"]),
		config.WithDefaultsMode(aws.DefaultsModeStandard), // "auto" would ask the machine where it is, over the network
		config.WithLogger(logging.Nop{}))
	if err != nil {
		return cloud.Invalid("the configuration of AWS, in the environment or in ~/.aws, is of no use: %s", innermost(err))
	}
	cfg.Credentials = credentials{cfg.Credentials}
	s.transport.Roots = bundle(cfg.HTTPClient)
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if given["endpoint"] != "" {
			o.BaseEndpoint = aws.String(given["endpoint"])
		}
		s.endpoint = strings.TrimSuffix(aws.ToString(o.BaseEndpoint), "/")
		o.UsePathStyle = pathStyle || given["path_style"] == "" && s.endpoint != ""
		if o.Region == "" && !s.isAWS() {
			o.Region = "us-east-1" // a signature has to name one, and most other services ignore it
		}
		s.region = o.Region
		o.HTTPClient = roundTripper{&s.transport}
		o.Retryer = onlyClock{}
		// We give the checksum ourselves, see put.go. The SDK puts it behind the body,
		// which other services refuse.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	switch {
	case s.endpoint != "" && cloud.ValidEndpoint(s.endpoint) != nil:
		return cloud.ValidEndpoint(s.endpoint)
	case s.region == "":
		return cloud.Invalid("no region is given: set AWS_REGION to that of the bucket, or add ?region= to the root")
	case len(s.region) > 63 || !validRegion.MatchString(s.region):
		return cloud.Invalid("%q is no region", s.region)
	}
	s.heeds.whole.trusted.Store(s.isAWS() || given["conditions"] == "heeded")
	s.heeds.parts.trusted.Store(s.isAWS())
	return nil
}

// bundle is the pool of authorities from the file that AWS_CA_BUNDLE or the
// profile names, which the SDK has put into its own client; nil if there is
// none. https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html
func bundle(client aws.HTTPClient) *x509.CertPool {
	own, ok := client.(*awshttp.BuildableClient)
	if !ok || own.GetTransport().TLSClientConfig == nil {
		return nil
	}
	return own.GetTransport().TLSClientConfig.RootCAs
}

// isAWS reports whether the service is AWS's own, private endpoints included.
func (s *store) isAWS() bool {
	if s.endpoint == "" {
		return true
	}
	u, err := url.Parse(s.endpoint)
	if err != nil {
		return false
	}
	for _, domain := range []string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"} {
		if strings.HasSuffix(u.Hostname(), domain) {
			return true
		}
	}
	return false
}

// roundTripper is the SDK's HTTP client. It follows no redirects: one from S3
// means that the region is wrong, and one from anybody else leads away from S3.
type roundTripper struct{ *cloud.Transport }

func (t roundTripper) Do(r *http.Request) (*http.Response, error) { return t.RoundTrip(r) }

// onlyClock tries again once if the request was dated by a clock that is far
// off: the SDK has learned the time by then. blob.Retry does all other retries.
type onlyClock struct{ aws.NopRetryer }

func (onlyClock) MaxAttempts() int                             { return 2 }
func (onlyClock) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

func (onlyClock) IsErrorRetryable(err error) bool {
	var retryable interface{ RetryableError() bool }
	a, ok := answerOf(err)
	return ok && a.code == "RequestTimeTooSkewed" && errors.As(err, &retryable) && retryable.RetryableError()
}
