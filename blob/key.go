package blob

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// MaxKey is the length of the longest key, in bytes. S3 allows 1,024 for the
// whole of it, the root's own path included; Azure as many characters.
const MaxKey = 1024

// ValidKey says what is wrong with a key: it must be relative, clean and
// printable, so that it means the same blob in every store and never climbs
// out of the root.
func ValidKey(key string) error {
	reason := invalidKey(key)
	if reason == "" {
		return nil
	}
	shown := key
	if len(shown) > 80 {
		shown = shown[:80] + "…"
	}
	return &driver.Error{Kind: driver.Invalid, Err: fmt.Errorf("key %q %w", shown, errors.New(reason))}
}

// ordinary reports, for almost all keys that mops makes, that they are valid: it
// is on the path of every hit, and one pass over the bytes takes the least.
func ordinary(key string) bool {
	if key == "" || len(key) > MaxKey {
		return false
	}
	before := byte('/')
	for i := range len(key) {
		c := key[i]
		if c <= ' ' || c >= 0x7f || c == '\\' || (c == '/' || c == '.') && before == '/' {
			return false
		}
		before = c
	}
	return before != '/'
}

func invalidKey(key string) string {
	switch {
	case ordinary(key):
		return ""
	case key == "":
		return "is empty"
	case len(key) > MaxKey:
		return fmt.Sprintf("has %d bytes, more than %d", len(key), MaxKey)
	case !utf8.ValidString(key):
		return "is not valid UTF-8"
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		return "contains a control character or a backslash"
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "":
			return "has an empty segment"
		case ".", "..":
			return "has a segment of only dots"
		}
	}
	return ""
}
