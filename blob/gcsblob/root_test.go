package gcsblob

import (
	"net/http"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

func TestRoots(t *testing.T) {
	for uri, want := range map[string]struct{ root, query, identity string }{
		"gs://bucket":                  {"gs://bucket", "", google + "/bucket"},
		"gs://bucket/":                 {"gs://bucket", "", google + "/bucket"},
		"GS://bucket/a/b/":             {"gs://bucket/a/b", "", google + "/bucket/a/b"},
		"gs://my_bucket.example.com/a": {"gs://my_bucket.example.com/a", "", google + "/my_bucket.example.com/a"},
		"gs://bucket/a?endpoint=https://storage.here/": {"gs://bucket/a", "?endpoint=https%3A%2F%2Fstorage.here%2F", "https://storage.here/bucket/a"},
	} {
		s := openStore(t, uri)
		identity := s.Driver().(driver.Identified).Identity()
		if s.Root() != want.root || s.Address() != want.root+want.query || identity != want.identity {
			t.Errorf("%s has root %s, address %s and identity %s, and should have %+v", uri, s.Root(), s.Address(), identity, want)
		}
	}
}

func TestBadRoots(t *testing.T) {
	for _, uri := range []string{
		"gs:", "gs://", "gs:///path", "gs://b", "gs://Bucket", "gs://bucket:80/a", "gs://buck et/a", "gs://user:hush@bucket/a", "gs://bucket/../a", "gs://bucket/a//b",
		"gs://bucket/a?key=hush", "gs://bucket/a?endpoint=storage.example.com", "gs://bucket/a?endpoint=https://user:hush@host", "gs://bucket/a#hush",
	} {
		_, err := blob.Open(t.Context(), uri)
		if !blob.Is(err, blob.Invalid) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		chosen, emulator, url string
		trusted               bool
	}{
		{"", "", google, true},
		{"https://storage.example.com/", "", "https://storage.example.com", true},
		{"https://storage.example.com", "localhost:4443", "https://storage.example.com", true},
		{"http://storage.example.com", "", "http://storage.example.com", false},
		{"", "localhost:4443", "http://localhost:4443", false},
		{"", "https://localhost:4443/", "https://localhost:4443", false},
	} {
		url, trusted, err := endpoint(c.chosen, c.emulator)
		if url != c.url || trusted != c.trusted || err != nil {
			t.Errorf("with %q and %q requests go to %q, tokens: %t (%v)", c.chosen, c.emulator, url, trusted, err)
		}
	}
	if _, _, err := endpoint("", "local host"); !blob.Is(err, driver.Invalid) {
		t.Errorf("an odd STORAGE_EMULATOR_HOST gave %v", err)
	}
}

func TestEmulatorHost(t *testing.T) {
	server := emulator.GCS(t)
	root, _, _ := strings.Cut(server.Root(t), "?")
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	if _, err := openStore(t, root).PutBytes(t.Context(), "blob", nil, blob.PutOptions{IfAbsent: true}); err != nil {
		t.Error(err)
	}
}

func TestLongNames(t *testing.T) {
	s := openStore(t, emulator.GCS(t).Root(t)) // whose path is root/
	for length, kind := range map[int]blob.Kind{1019: blob.NotFound, 1020: blob.Invalid, 1100: blob.Invalid} {
		_, err := s.Stat(t.Context(), strings.Repeat("x", length))
		if !blob.Is(err, kind) || kind == blob.Invalid && !strings.Contains(err.Error(), "1024") {
			t.Errorf("a key of %d bytes: %v", length, err)
		}
	}
	_, err := openStore(t, "gs://bucket").Stat(t.Context(), ".well-known/acme-challenge/x")
	if !blob.Is(err, blob.Invalid) {
		t.Errorf("a forbidden name: %v", err)
	}
}

// A bucket that is deleted under us must not look like one where nothing is.
func TestBucketIsDeleted(t *testing.T) {
	server := emulator.GCS(t)
	s := openStore(t, server.Root(t))
	bucket := s.Driver().(*store).address.Host
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, server.URL+"/storage/v1/b/"+bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	for name, operation := range operations(s, "17") {
		if err := operation(t.Context()); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "no bucket "+bucket) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPages(t *testing.T) {
	s := openStore(t, emulator.GCS(t).Root(t))
	s.Driver().(*store).pageSize = "3"
	var want []string
	for _, key := range strings.Split("abcdefgh", "") {
		want = append(want, key)
		if _, err := s.PutBytes(t.Context(), key, nil, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for start := range want {
		var got []string
		for info, err := range s.List(t.Context(), "", want[start]) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Key)
		}
		if strings.Join(got, "") != strings.Join(want[start:], "") {
			t.Errorf("from %s on there are %q", want[start], got)
		}
	}
}
