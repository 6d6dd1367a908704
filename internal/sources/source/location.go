package source

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Location tells a reader of a record where the bytes of one source are. It
// stands in the record's header; the identity is in its body, too.
type Location struct {
	Identity

	// At is one of: "out/<run id>/<name>", below the call's own folder; a key below
	// the root, such as "mops1-blobs/sha256/<hash>"; an explicit URI. All but the
	// last hold wherever the root is mounted.
	At string `json:"at"`
}

const outPrefix = "out/"

// object is the source's bytes as the location describes them.
func (l Location) object(store *blob.Store, callPrefix string) (object, error) {
	o := object{sum: l.Hash, size: sizeOfBlob(l.Identity)}
	switch {
	case l.At == "":
		return o, errors.New("its location is empty")
	case strings.Contains(l.At, "://"):
		o.uri = l.At
		return o, checkURI(l.At)
	case strings.HasPrefix(l.At, outPrefix):
		o.store, o.key = store, path.Join(callPrefix, l.At)
	default:
		o.store, o.key = store, l.At
	}
	if store == nil {
		return o, fmt.Errorf("its location %s is relative to a root, and there is none", l.At)
	}
	if err := blob.ValidKey(l.At); err != nil {
		return o, fmt.Errorf("its location: %w", err)
	}
	return o, nil
}

// Bind tells sources that were decoded from a record where their bytes are:
// locations is the result of Upload or Publish for that record, callPrefix the
// key of the call's folder in store. Sources with a known place stay as they
// are. If all locations are URIs, store may be nil. Bind does no I/O.
func (f *Files) Bind(store *blob.Store, callPrefix string, refs []*Ref, locations []Location) error {
	if store != nil {
		f.know(store)
	}
	// Sources of one content may lie in several places: each takes the next.
	places := map[Identity][]Location{}
	for _, l := range locations {
		places[l.Identity] = append(places[l.Identity], l)
	}
	for _, r := range refs {
		if r == nil || r.path != "" || r.uri != "" {
			continue
		}
		c := r.snapshot()
		if c == nil {
			return errors.New("bind a source: it was not decoded from a record")
		}
		if c.file.store != nil || c.file.uri != "" || c.file.value != nil {
			continue
		}
		left := places[c.id]
		if len(left) == 0 {
			return fmt.Errorf("bind a source: the record says nothing about where to find the %s: %w; call again", c.id, ErrChanged)
		}
		if len(left) > 1 {
			places[c.id] = left[1:]
		}
		o, err := left[0].object(store, callPrefix)
		if err != nil {
			return fmt.Errorf("bind the %s: %w", c.id, err)
		}
		r.set(f, &content{id: c.id, file: o})
	}
	return nil
}

func checkURI(uri string) error {
	scheme, rest, ok := strings.Cut(uri, "://")
	_, key, _ := strings.Cut(rest, "/")
	key, _, _ = strings.Cut(key, "?")
	switch {
	case !ok || scheme == "":
		return fmt.Errorf("source %q: not a URI such as s3://bucket/file.csv; for a file on this machine use File", uri)
	case strings.Contains("/"+rest+"/", "/../"):
		return fmt.Errorf("source %q: the URI climbs with \"..\": write it without", uri)
	case key == "" || (scheme != "file" && strings.HasSuffix(key, "/")):
		return fmt.Errorf("source %q: the URI names no file", uri)
	}
	return nil
}

// filePath is the path that a file:// URI names (RFC 8089), which may start in
// the home folder: file://~/data.csv.
func filePath(uri string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "file://")
	if !ok {
		return "", false
	}
	if path, err := url.PathUnescape(rest); err == nil {
		rest = path
	}
	host, after, _ := strings.Cut(rest, "/")
	switch host {
	case "localhost":
		rest = "/" + after
	case "~":
		if home, err := os.UserHomeDir(); err == nil {
			rest = home + "/" + after
		}
	}
	if runtime.GOOS == "windows" && len(rest) > 2 && rest[0] == '/' && rest[2] == ':' {
		rest = rest[1:] // file:///C:/folder
	}
	return filepath.FromSlash(rest), true
}

// fileURI is the URI of a path. It escapes only characters that would be
// misread.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	var uri strings.Builder
	uri.WriteString("file://")
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if (r == utf8.RuneError && n == 1) || !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`%?#"<>\`, r) {
			for _, b := range []byte(path[:n]) {
				fmt.Fprintf(&uri, "%%%02X", b)
			}
		} else {
			uri.WriteString(path[:n])
		}
		path = path[n:]
	}
	return uri.String()
}
