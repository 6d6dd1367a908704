package s3blob

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

var quick = blob.RetryPolicy{First: time.Millisecond, Max: 10 * time.Millisecond}

func TestConformance(t *testing.T) {
	server := emulator.S3(t)
	for name, over := range map[string]func(*blob.Store) *blob.Store{
		"Bare":  func(s *blob.Store) *blob.Store { return s },
		"Retry": func(s *blob.Store) *blob.Store { return blob.Retry(s, quick) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blobtest.Run(t, func(t *testing.T) *blob.Store { return over(mustOpen(t, server.Root(t))) })
		})
	}
}

func mustOpen(tb testing.TB, uri string) *blob.Store {
	tb.Helper()
	s, err := blob.Open(tb.Context(), uri)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// behind opens a root behind a proxy, as one whose service has been probed.
func behind(tb testing.TB) (*blob.Store, *faultproxy.Proxy) {
	tb.Helper()
	uri, proxy := emulator.S3(tb).Behind(tb)
	s := mustOpen(tb, uri)
	d := s.Driver().(*store)
	d.heeds.whole.trusted.Store(true)
	d.heeds.parts.trusted.Store(true)
	return s, proxy
}

func mustPut(tb testing.TB, s *blob.Store, key, data string) blob.Info {
	tb.Helper()
	info, err := s.PutBytes(tb.Context(), key, []byte(data), blob.PutOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

func expect(tb testing.TB, s *blob.Store, key, data string) {
	tb.Helper()
	got, _, err := s.ReadAll(tb.Context(), key, nil)
	if err != nil || string(got) != data {
		tb.Errorf("%s holds %.40q (%v), and should hold %.40q", key, got, err, data)
	}
}

// urlOf is where the blob "key" would be asked for.
func urlOf(tb testing.TB, s *store) string {
	tb.Helper()
	name, err := s.name("key")
	if err != nil {
		tb.Fatal(err)
	}
	request, err := s3.NewPresignClient(s.client).PresignHeadObject(tb.Context(), &s3.HeadObjectInput{Bucket: &s.address.Host, Key: name})
	if err != nil {
		tb.Fatal(err)
	}
	url, _, _ := strings.Cut(request.URL, "?")
	return url
}
