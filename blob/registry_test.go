package blob_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
)

func TestOpenFindsTheDriver(t *testing.T) {
	var r blob.Registry
	var got string
	r.Register("test", func(_ context.Context, uri string) (driver.Store, error) {
		got = uri
		return struct{ driver.Store }{memblob.New()}, nil // hides its own root
	})
	const uri = "test://user:password@host/root/?token=secret"
	s, err := r.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	if got != uri {
		t.Errorf("the driver got %q", got)
	}
	if s.Root() != "test://host/root" {
		t.Errorf("the root is %q", s.Root())
	}
}

func TestOpenTakesTheDriversRoot(t *testing.T) {
	var r blob.Registry
	r.Register("test", func(context.Context, string) (driver.Store, error) { return memblob.New(), nil })
	if s, err := r.Open(t.Context(), "test:whatever"); err != nil || s.Root() != "mem://unnamed" {
		t.Errorf("%v, %v", s.Root(), err)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	var r blob.Registry
	r.Register("other", func(context.Context, string) (driver.Store, error) { return nil, nil })
	for uri, says := range map[string]string{
		"s3://bucket":    `add import _ "github.com/TrilliantHealth/mops-go/blob/s3blob"`,
		"S3://bucket":    `add import _ "github.com/TrilliantHealth/mops-go/blob/s3blob"`,
		"adls://a/b":     "blob/azureblob",
		"gs://bucket":    "blob/gcsblob",
		"file:///x":      "blob/fileblob",
		"mem://x":        "blob/memblob",
		"http://x/y":     "adls, file, gs, mem, other, s3",
		"/data/mops":     "file:///data/mops",
		"data":           "a root is a URI",
		"":               "a root is a URI",
		"C D://x":        "a root is a URI",
		"://x":           "a root is a URI",
		"data:mops://x/": "no driver knows",
	} {
		_, err := r.Open(t.Context(), uri)
		if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, and should say %q", uri, err, says)
		}
	}
}

func TestSecretsStayOutOfMessages(t *testing.T) {
	cause := errors.New("cause")
	var r blob.Registry
	r.Register("test", func(_ context.Context, uri string) (driver.Store, error) {
		_, err := url.Parse(uri + "\x7f") // quotes it
		return nil, &driver.Error{Kind: driver.Denied, Err: fmt.Errorf("%w: %w", cause, err)}
	})
	for _, uri := range []string{
		"test://joe:hunter2@host/x", "test://host/x?sig=hunter2", "test://joe:hunter2@host/?sig=hunter2", "test://joe:part/hunter2@host/x", "unknown://joe:hunter2@host/x?hunter2", "joe:hunter2@host/x?hunter2",
	} {
		_, err := r.Open(t.Context(), uri)
		if err == nil {
			t.Fatal("no error")
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %s", uri, err)
		}
		if strings.HasPrefix(uri, "test:") && (!blob.Is(err, blob.Denied) || !errors.Is(err, cause)) {
			t.Errorf("%s: kind or cause is lost: %v", uri, err)
		}
	}
}

func TestRegisterTwice(t *testing.T) {
	var r blob.Registry
	open := func(context.Context, string) (driver.Store, error) { return memblob.New(), nil }
	r.Register("test", open)
	defer func() {
		if recover() == nil {
			t.Error("a scheme was registered twice")
		}
	}()
	r.Register("test", open)
}
