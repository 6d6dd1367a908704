package blob

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// MaxKey is the length of the longest key, in bytes. S3 allows 1,024 bytes for
// the whole key, the root's own path included (Amazon S3 User Guide, "Naming
// Amazon S3 objects"); Azure allows 1,024 characters.
const MaxKey = 1024

// ValidKey checks a key: it must be relative, clean and printable UTF-8 of at
// most [MaxKey] bytes, so that it means the same blob in every store and never
// climbs out of the root. The error is of kind Invalid and says what is wrong.
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

// ordinary reports that a key is valid, for almost all keys that mops makes: it
// is on the path of every hit, and one pass over the bytes without a branch is
// cheapest.
func ordinary(key string) bool {
	if key == "" || len(key) > MaxKey {
		return false
	}
	var wrong byte
	refused := byte(anywhere | first)
	for i := range len(key) {
		is := kinds[key[i]]
		wrong |= is & refused
		refused = anywhere | is>>1&first
	}
	return wrong == 0 && refused == anywhere
}

// What a byte of a key is.
const (
	anywhere  = 1 << iota // not ordinary
	first                 // not ordinary as the first of a segment
	separator             // what ends a segment
)

var kinds = func() (kinds [256]byte) {
	for c := range kinds {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			kinds[c] = anywhere
		}
	}
	kinds['.'], kinds['/'] = first, first|separator
	return kinds
}()

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
