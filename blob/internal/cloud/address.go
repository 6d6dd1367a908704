package cloud

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Address is a root URI taken apart: scheme://host/path?query.
type Address struct {
	Scheme string
	Host   string            // bucket or account
	Path   string            // without slashes around it; may be empty
	Query  map[string]string // what is not the default
}

// Parse takes a root URI apart. The query may hold the parameters that are
// named, none of them secret: roots are shown, logged, and handed to workers.
func Parse(uri string, parameters ...string) (Address, error) {
	bare, query, _ := strings.Cut(uri, "?")
	scheme, rest, ok := strings.Cut(bare, "://")
	host, path, _ := strings.Cut(rest, "/")
	a := Address{Scheme: strings.ToLower(scheme), Host: host, Path: strings.Trim(path, "/"), Query: map[string]string{}}
	switch {
	case !ok:
		return a, Invalid("a root of a cloud store is like s3://bucket/folder")
	case strings.ContainsAny(host, "@:"): // a password may hold a slash, so that the rest of it looks like a path
		return a, Invalid("a root holds no user, password or port: credentials come from the environment, and for another service there is ?endpoint=; see docs/stores.md")
	case strings.Contains(bare, "#"):
		return a, Invalid("a root holds no '#'")
	}
	if a.Path != "" {
		if err := blob.ValidKey(a.Path); err != nil {
			return a, err
		}
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return a, Invalid("the query of the root, behind '?', is none that a URL can have")
	}
	for name, value := range values {
		if !slices.Contains(parameters, name) {
			return a, Invalid("the root knows no parameter %q: it may have %s; secrets do not belong there: credentials come from the environment, see docs/stores.md",
				name, strings.Join(parameters, ", "))
		}
		if len(value) > 1 {
			return a, Invalid("the root has the parameter %q twice", name)
		}
		a.Query[name] = value[0]
	}
	if endpoint := a.Query["endpoint"]; endpoint != "" {
		if err := ValidEndpoint(endpoint); err != nil {
			return a, err
		}
	}
	return a, nil
}

// ValidEndpoint says what is wrong with the URL of a service.
func ValidEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Invalid("an endpoint is like https://host:port, without user and query")
	}
	return nil
}

// Root is the address without its query: a root URI in its proper form.
func (a Address) Root() string {
	return strings.TrimSuffix(a.Scheme+"://"+a.Host+"/"+a.Path, "/")
}

// URI is the address with its query, by which another process opens the same root.
func (a Address) URI() string {
	if len(a.Query) == 0 {
		return a.Root()
	}
	query := url.Values{}
	for name, value := range a.Query {
		query.Set(name, value)
	}
	return a.Root() + "?" + query.Encode()
}

// Key is the store's name of a blob. Max is the length of the longest that the
// service allows, in bytes.
func (a Address) Key(key string, max int) (string, error) {
	if a.Path != "" {
		key = a.Path + "/" + key
	}
	if len(key) > max {
		return "", Invalid("the name of the blob has %d bytes with the root's path, and the store allows %d: take a shorter path in the root", len(key), max)
	}
	return key, nil
}

// Prefix is the beginning of the store's names of blobs whose keys begin with prefix.
func (a Address) Prefix(prefix string) string {
	if a.Path != "" {
		return a.Path + "/" + prefix
	}
	return prefix
}

// Relative is the key of a blob that the store names so.
func (a Address) Relative(name string) string {
	if a.Path != "" {
		return strings.TrimPrefix(name, a.Path+"/")
	}
	return name
}

// Invalid is an error of kind driver.Invalid: the user has to change something.
func Invalid(format string, args ...any) error {
	return &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf(format, args...)}
}

// CheckRange refuses what no range can be.
func CheckRange(part driver.Range) error {
	if part.Offset < 0 || part.Length < 0 {
		return Invalid("a range cannot start at %d with %d bytes", part.Offset, part.Length)
	}
	return nil
}

// RangeHeader asks for a part of a blob that is not empty (RFC 9110, section 14.2).
func RangeHeader(part driver.Range) string {
	if part.Length == 0 || part.Offset > math.MaxInt64-part.Length {
		return fmt.Sprintf("bytes=%d-", part.Offset)
	}
	return fmt.Sprintf("bytes=%d-%d", part.Offset, part.Offset+part.Length-1)
}

// CheckConditions refuses conditions that exclude each other.
func CheckConditions(opts driver.PutOptions) error {
	if opts.IfAbsent && opts.IfVersion != "" {
		return Invalid("IfAbsent and IfVersion exclude each other")
	}
	return nil
}
