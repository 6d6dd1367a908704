package blob

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// OpenFunc opens the root that uri names; uri starts with the scheme that the
// function was registered for. It should not touch the network: a store that
// cannot be reached shows at the first operation.
//
// A store may have a method Root() string, which returns the root's proper name
// (absolute, canonical, without secrets); otherwise the root is the URI without
// user and query. It may have a method Address() string, which returns the URI
// by which another process opens the same root, with the parameters of the
// query (a secret parameter must have been refused); otherwise the address is
// the root.
type OpenFunc func(ctx context.Context, uri string) (driver.Store, error)

// registry knows how to open URIs, by their scheme. The zero value is empty and
// ready; it is safe for concurrent use.
type registry struct {
	mu    sync.RWMutex
	opens map[string]OpenFunc
}

// drivers are those that the program imports: their packages register here.
var drivers registry

// homes are the packages of the schemes that mops has drivers for.
var homes = map[string]string{
	"file": "blob/fileblob",
	"mem":  "blob/memblob",
	"adls": "blob/azureblob",
	"s3":   "blob/s3blob",
	"gs":   "blob/gcsblob",
}

// RFC 3986, section 3.1.
var validScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// Register makes a scheme known to [Open]. Driver packages call it in init. It
// panics if the scheme is taken or not valid (RFC 3986, section 3.1, in lower
// case), and if open is nil.
func Register(scheme string, open OpenFunc) { drivers.register(scheme, open) }

// Open opens the root that a URI names, such as file:///data/mops, with the
// drivers that the program imports. If none knows the URI, the error's kind is
// Invalid and its text says which import is missing. The error never quotes the
// URI's user, password or query.
func Open(ctx context.Context, uri string) (*Store, error) { return drivers.open(ctx, uri) }

func (r *registry) register(scheme string, open OpenFunc) {
	if !validScheme.MatchString(scheme) || open == nil {
		panic(fmt.Sprintf("blob: cannot register scheme %q", scheme))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.opens[scheme]; taken {
		panic(fmt.Sprintf("blob: scheme %q is registered twice", scheme))
	}
	if r.opens == nil {
		r.opens = make(map[string]OpenFunc)
	}
	r.opens[scheme] = open
}

func (r *registry) open(ctx context.Context, uri string) (*Store, error) {
	shown := withoutSecrets(uri)
	scheme, _, ok := strings.Cut(uri, ":")
	if scheme = strings.ToLower(scheme); !ok || !validScheme.MatchString(scheme) {
		return nil, &Error{Op: "open", URI: shown, Kind: Invalid,
			Err: fmt.Errorf("a root is a URI, such as file:///data/mops or s3://bucket/folder; for a folder write file://%s", shown)}
	}
	r.mu.RLock()
	open, ok := r.opens[scheme]
	r.mu.RUnlock()
	if !ok {
		return nil, &Error{Op: "open", URI: shown, Kind: Invalid, Err: r.unknown(scheme)}
	}
	d, err := open(ctx, uri)
	if err != nil {
		return nil, New(shown, nil).fail("open", "", scrub(err, uri))
	}
	root := shown
	if named, ok := d.(interface{ Root() string }); ok {
		root = named.Root()
	}
	store := New(root, d)
	if addressed, ok := d.(interface{ Address() string }); ok {
		store.address = addressed.Address
	}
	return store, nil
}

// otherNames are the names that other tools have for our schemes.
var otherNames = map[string]string{
	"abfs": "adls://account/container/folder", "abfss": "adls://account/container/folder",
	"wasb": "adls://account/container/folder", "wasbs": "adls://account/container/folder",
	"az": "adls://account/container/folder", "azure": "adls://account/container/folder",
	"s3a": "s3://bucket/folder", "s3n": "s3://bucket/folder", "gcs": "gs://bucket/folder",
}

// unknown is the error for a scheme without a driver; it says what to do.
func (r *registry) unknown(scheme string) error {
	if home, ok := homes[scheme]; ok {
		return fmt.Errorf(`the driver of %s:// is not part of this program; add import _ "github.com/TrilliantHealth/mops-go/%s"`, scheme, home)
	}
	if ours, ok := otherNames[scheme]; ok {
		return fmt.Errorf("no driver knows the scheme %q; here such a root is %s", scheme, ours)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	known := slices.Collect(maps.Keys(r.opens))
	for scheme := range homes {
		known = append(known, scheme)
	}
	slices.Sort(known)
	return fmt.Errorf("no driver knows the scheme %q; there are %s", scheme, strings.Join(slices.Compact(known), ", "))
}

// withoutSecrets cuts off the parts that may be secret: user, password and
// query.
func withoutSecrets(uri string) string {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		uri = uri[:i]
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if ok {
		scheme += "://"
	} else {
		scheme, rest = "", uri
	}
	return scheme + rest[userEnd(rest):]
}

// userEnd is where user and password end in rest, the part behind the scheme. A
// password that was not escaped may hold a slash, as the keys of AWS do.
func userEnd(rest string) int {
	authority, _, _ := strings.Cut(rest, "/")
	if _, port, ok := strings.Cut(authority, ":"); ok && !strings.Contains(authority, "@") && strings.Trim(port, "0123456789") != "" {
		return strings.IndexByte(rest, '@') + 1
	}
	return strings.LastIndexByte(authority, '@') + 1
}

// scrub removes the URI's secrets from a driver's message, which may quote it:
// net/url does in its errors.
func scrub(err error, uri string) error {
	shown := withoutSecrets(uri)
	if shown == uri {
		return err
	}
	secrets := []string{uri, shown}
	if _, query, ok := strings.Cut(uri, "?"); ok && query != "" {
		secrets = append(secrets, query, "…")
	}
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		if i := userEnd(rest); i > 1 {
			secrets = append(secrets, rest[:i-1], "…")
		}
	}
	kind, inner := KindOf(err), err
	if e, ok := err.(*driver.Error); ok && e.Err != nil {
		inner = e.Err
	}
	message := strings.NewReplacer(secrets...).Replace(inner.Error())
	if message == inner.Error() {
		return err
	}
	return &driver.Error{Kind: kind, Err: scrubbed{message, inner}}
}

// scrubbed is an error with another text.
type scrubbed struct {
	message string
	err     error
}

func (s scrubbed) Error() string { return s.message }
func (s scrubbed) Unwrap() error { return s.err }
