package source

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
