package fileblob

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

const scheme = "file"

// dirOf is the absolute path that a URI names: file:///absolute, file:/absolute
// and file://localhost/absolute as in RFC 8089; file://~/in/the/home/folder and
// file://./relative beyond it. It refuses any other host: most often a slash is
// missing, and a private folder would pass for the shared one.
func dirOf(uri string) (string, error) {
	_, rest, _ := strings.Cut(uri, ":")
	if strings.ContainsAny(rest, "?#") {
		return "", invalid("a file URI has no query and no fragment; in a file name write ? as %%3F and # as %%23")
	}
	path, err := url.PathUnescape(strings.TrimPrefix(rest, "//"))
	if err != nil {
		return "", invalid("%w; a percent sign in a file name is written %%25", err)
	}
	home, after, _ := strings.Cut(path, "/")
	switch {
	case path == "":
		return "", invalid("the path is missing: write file:///absolute/path, file://~/path or file://./relative/path")
	case strings.ContainsRune(path, 0):
		return "", invalid("the path contains a zero byte")
	case home == "~":
		if path, err = os.UserHomeDir(); err != nil {
			return "", invalid("the home folder is not known (%w); write the path in full", err)
		}
		path = filepath.Join(path, after)
	case strings.HasPrefix(home, "~"):
		return "", invalid("the home folders of others are not supported; write the path in full, or file://./%s for a folder of that name", home)
	case home == "localhost":
		path = "/" + after
	case strings.HasPrefix(rest, "//") && home != "" && home != "." && home != "..":
		return "", invalid("%s stands where the host would be: for a path from the root folder write file:///%s, for one from the current folder file://./%s", home, path, path)
	}
	if runtime.GOOS == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:] // file:///C:/folder
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", invalid("the working directory is not known (%w); write the path in full", err)
	}
	return path, nil
}

// uriOf is the URI of a path. It escapes only what programs or people would
// misread.
func uriOf(path string) string {
	var uri strings.Builder
	uri.WriteString(scheme + "://")
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		uri.WriteByte('/')
	}
	for i, r := range path {
		size := utf8.RuneLen(r)
		odd := r == utf8.RuneError && !strings.HasPrefix(path[i:], string(utf8.RuneError))
		if odd {
			size = 1
		}
		if odd || !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`%?#"<>\`, r) {
			for _, b := range []byte(path[i : i+size]) {
				fmt.Fprintf(&uri, "%%%02X", b)
			}
			continue
		}
		uri.WriteRune(r)
	}
	return uri.String()
}

func invalid(format string, args ...any) error {
	return &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf(format, args...)}
}

var errBothConditions = errors.New("IfAbsent and IfVersion exclude each other")
