package cloud

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

func TestParse(t *testing.T) {
	for uri, want := range map[string]struct{ root, host, path, uri string }{
		"s3://bucket":                              {"s3://bucket", "bucket", "", ""},
		"s3://bucket/":                             {"s3://bucket", "bucket", "", ""},
		"S3://Bucket//a/b/":                        {"s3://Bucket/a/b", "Bucket", "a/b", ""},
		"s3://bucket/a b/%20/ü":                    {"s3://bucket/a b/%20/ü", "bucket", "a b/%20/ü", ""},
		"s3://bucket/a?endpoint=http://host:1/p":   {"s3://bucket/a", "bucket", "a", "s3://bucket/a?endpoint=http%3A%2F%2Fhost%3A1%2Fp"},
		"s3://bucket?region=here&endpoint=https:h": {},
		"s3://bucket?region=here":                  {"s3://bucket", "bucket", "", "s3://bucket?region=here"},
	} {
		a, err := Parse(uri, "endpoint", "region")
		if want.root == "" {
			if !blob.Is(err, blob.Invalid) {
				t.Errorf("%s: %v", uri, err)
			}
			continue
		}
		if want.uri == "" {
			want.uri = want.root
		}
		if err != nil || a.Root() != want.root || a.Host != want.host || a.Path != want.path || a.URI() != want.uri {
			t.Errorf("%s: %+v, %s, %s, %v", uri, a, a.Root(), a.URI(), err)
			continue
		}
		if again, err := Parse(a.URI(), "endpoint", "region"); err != nil || again.URI() != a.URI() || again.Query["endpoint"] != a.Query["endpoint"] {
			t.Errorf("%s leads to %+v, %v", a.URI(), again, err)
		}
	}
}

// Messages must not repeat what may be a secret: a value, a user, a password.
func TestParseRefuses(t *testing.T) {
	for _, uri := range []string{
		"s3:bucket", "bucket/path", "s3://user:hush@bucket/path", "s3://bucket/path#hush", "s3://bucket/../x", "s3://bucket/a//b", `s3://bucket/a\b`,
		"s3://bucket/" + strings.Repeat("long/", 300), "s3://bucket?key=hush", "s3://bucket?endpoint=https://h&token=hush", "s3://bucket?region=a&region=hush",
		"s3://bucket?%zz=hush", "s3://bucket?endpoint=https://user:hush@host", "s3://bucket?endpoint=https://host?sig=hush",
		"s3://bucket?endpoint=https://host%23hush", "s3://bucket?endpoint=ftp://hush", "s3://bucket?endpoint=hush", "s3://bucket?endpoint=https://",
	} {
		_, err := Parse(uri, "endpoint", "region")
		if !blob.Is(err, blob.Invalid) {
			t.Errorf("%s: %v", uri, err)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error tells it: %v", uri, err)
		}
	}
}

func TestNames(t *testing.T) {
	for path, prefix := range map[string]string{"": "", "a/b": "a/b/"} {
		a := Address{Path: path}
		name, err := a.Key("folder/blob", len(prefix)+len("folder/blob"))
		if name != prefix+"folder/blob" || err != nil || a.Prefix("fol") != prefix+"fol" || a.Relative(name) != "folder/blob" {
			t.Errorf("in %q: %q, %v, %q, %q", path, name, err, a.Prefix("fol"), a.Relative(name))
		}
		if _, err := a.Key("folder/blob", len(prefix)+len("folder/blob")-1); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "the store allows") {
			t.Errorf("in %q one that is too long gave %v", path, err)
		}
	}
}

func TestChecks(t *testing.T) {
	for _, part := range []driver.Range{{Offset: -1}, {Length: -1}} {
		if err := CheckRange(part); !blob.Is(err, blob.Invalid) {
			t.Errorf("%+v: %v", part, err)
		}
	}
	if err := CheckRange(driver.Range{Offset: 1, Length: 1}); err != nil {
		t.Error(err)
	}
	if err := CheckConditions(driver.PutOptions{IfAbsent: true, IfVersion: "1"}); !blob.Is(err, blob.Invalid) {
		t.Errorf("both conditions: %v", err)
	}
	for _, opts := range []driver.PutOptions{{}, {IfAbsent: true}, {IfVersion: "1"}} {
		if err := CheckConditions(opts); err != nil {
			t.Error(err)
		}
	}
}
