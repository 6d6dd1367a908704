package s3blob

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

func TestRoots(t *testing.T) {
	emulator.S3Environment()
	const minio = "?endpoint=http%3A%2F%2F127.0.0.1%3A9000"
	for uri, want := range map[string]struct{ root, identity, region, url string }{
		"s3://bucket":                           {"s3://bucket", "s3://bucket at aws", "us-east-1", "https://bucket.s3.us-east-1.amazonaws.com/key"},
		"S3://bucket/a/b/":                      {"s3://bucket/a/b", "s3://bucket/a/b at aws", "us-east-1", "https://bucket.s3.us-east-1.amazonaws.com/a/b/key"},
		"s3://bucket?region=cn-north-1":         {"s3://bucket", "s3://bucket at aws-cn", "cn-north-1", "https://bucket.s3.cn-north-1.amazonaws.com.cn/key"},
		"s3://bucket?path_style=true":           {"s3://bucket", "s3://bucket at aws", "us-east-1", "https://s3.us-east-1.amazonaws.com/bucket/key"},
		"s3://bucket.dot":                       {"s3://bucket.dot", "s3://bucket.dot at aws", "us-east-1", "https://s3.us-east-1.amazonaws.com/bucket.dot/key"},
		"s3://bucket/a" + minio:                 {"s3://bucket/a", "s3://bucket/a at http://127.0.0.1:9000", "us-east-1", "http://127.0.0.1:9000/bucket/a/key"},
		"s3://bucket" + minio + "&region=Other": {"s3://bucket", "s3://bucket at http://127.0.0.1:9000", "Other", "http://127.0.0.1:9000/bucket/key"},
		"s3://bucket?path_style=false&endpoint=https%3A%2F%2Fminio.example": {"s3://bucket", "s3://bucket at https://minio.example", "us-east-1", "https://bucket.minio.example/key"},
	} {
		s := mustOpen(t, uri)
		d := s.Driver().(*store)
		if s.Root() != want.root || d.Identity() != want.identity || d.region != want.region {
			t.Errorf("%s: root %s, identity %q, region %s", uri, s.Root(), d.Identity(), d.region)
		}
		if got := urlOf(t, d); got != want.url {
			t.Errorf("%s is asked at %s, and should be at %s", uri, got, want.url)
		}
		if again := mustOpen(t, s.Address()).Driver().(driver.Identified); again.Identity() != want.identity {
			t.Errorf("%s leads to %q by its address %s", uri, again.Identity(), s.Address())
		}
	}
}

func TestBadRoots(t *testing.T) {
	emulator.S3Environment()
	for uri, text := range map[string]string{
		"s3://":                         "no name of a bucket",
		"s3:bucket":                     "s3://bucket/folder",
		"s3://b!/x":                     "no name of a bucket",
		"s3://arn:aws:s3:x:1:y/z":       "no user, password or port",
		"s3://data--use1-az5--x-s3/x":   "directory bucket",
		"s3://key:" + planted + "@b/x":  "credentials come from the environment",
		"s3://bucket?secret=" + planted: "secrets do not belong there",
		"s3://bucket?region=eu/west":    "is no region",
		"s3://bucket?path_style=maybe":  "true or false",
		"s3://bucket?endpoint=here":     "https://host:port",
		"s3://bucket?endpoint=http%3A%2F%2Fuser%3A" + planted + "%40h": "without user and query",
		"s3://bucket/../x":  "segment of only dots",
		"s3://bucket/x#y":   "'#'",
		"s3://bucket/x//y/": "empty segment",
	} {
		_, err := blob.Open(t.Context(), uri)
		if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), planted) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// The environment counts for parameters that the root does not have.
func TestEnvironment(t *testing.T) {
	emulator.S3Environment()
	for _, c := range []struct{ name, value, uri, want string }{
		{"AWS_REGION", "eu-west-1", "s3://bucket", "https://bucket.s3.eu-west-1.amazonaws.com/key"},
		{"AWS_REGION", "eu-west-1", "s3://bucket?region=eu-north-1", "https://bucket.s3.eu-north-1.amazonaws.com/key"},
		{"AWS_ENDPOINT_URL", "http://127.0.0.1:1", "s3://bucket", "http://127.0.0.1:1/bucket/key"},
		{"AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2/", "s3://bucket", "http://127.0.0.1:2/bucket/key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			if got := urlOf(t, mustOpen(t, c.uri).Driver().(*store)); got != c.want {
				t.Errorf("%s is asked at %s, and should be at %s", c.uri, got, c.want)
			}
		})
	}
	t.Setenv("AWS_REGION", "")
	if _, err := blob.Open(t.Context(), "s3://bucket"); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
	mustOpen(t, "s3://bucket?endpoint=http%3A%2F%2F127.0.0.1%3A1") // needs none
	t.Setenv("AWS_ENDPOINT_URL", "http://user:"+planted+"@127.0.0.1:1")
	if _, err := blob.Open(t.Context(), "s3://bucket"); !blob.Is(err, blob.Invalid) || strings.Contains(err.Error(), planted) {
		t.Errorf("an endpoint with a password: %v", err)
	}
}

func TestServiceOfAWS(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"": true, "https://s3.eu-west-1.amazonaws.com": true, "https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com": true,
		"https://s3.cn-north-1.amazonaws.com.cn": true, "https://minio.example": false, "https://s3.amazonaws.com.example": false,
		"https://evilamazonaws.com": false, "http://127.0.0.1:9000": false,
	} {
		if got := (&store{endpoint: endpoint}).isAWS(); got != want {
			t.Errorf("%q is AWS's: %t", endpoint, got)
		}
	}
}

func TestLongKey(t *testing.T) {
	emulator.S3Environment()
	s := mustOpen(t, "s3://bucket/a/root?endpoint=http%3A%2F%2F127.0.0.1%3A1")
	for _, length := range []int{1100, 1020} {
		_, err := s.Stat(t.Context(), strings.Repeat("k", length))
		if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "1024") {
			t.Errorf("a key of %d bytes: %v", length, err)
		}
	}
}

func TestBefore(t *testing.T) {
	const last = "\U0010FFFF"
	for s, want := range map[string]string{
		"": "", "b": "a" + last, "a/b": "a/a" + last, "a/": "a." + last, "\x00": "", "aé": "aè" + last, "a\xff": "a", "\xff": "", "\uE000": "\uD7FF" + last,
	} {
		if got := before(s); got != want || s != "" && got >= s {
			t.Errorf("before %q is %q rather than %q", s, got, want)
		}
	}
}
