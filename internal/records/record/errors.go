package record

import (
	"errors"
	"fmt"
	"math/bits"
)

// ErrDamaged says that a blob is not a whole record: cut off, overwritten, or
// with a bit flipped. A damaged record counts as missing and may be replaced.
var ErrDamaged = errors.New("the record is damaged")

func damaged(how string) error { return fmt.Errorf("%w: it %s", ErrDamaged, how) }

// FormatError says that this program cannot read a record, though it is intact.
// Nobody may replace such a record.
type FormatError struct {
	Want   Kind   // the expected kind; may be ""
	Format string // the first word found
	Kind   string // the second word found
	Reason string // more about it; may be ""
}

func (e *FormatError) Error() string {
	switch {
	case e.Format != Format:
		return fmt.Sprintf("the record is intact but of format %s, and this program reads %s: it was written by a newer mops; update this program", e.Format, Format)
	case e.Reason != "":
		return fmt.Sprintf("the record is intact but cannot be read: %s; update this program, or move the record away", e.Reason)
	default:
		return fmt.Sprintf("the record is intact but of kind %s where %s was expected: update this program, or move the record away", e.Kind, e.Want)
	}
}

// ForeignError says that a record belongs to another call: somebody copied or
// renamed it.
type ForeignError struct {
	Want string // the memo key of the call
	Got  string // the memo key that the record names
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the record belongs to the call with memo key %s, not to %s: it was copied or renamed; move it away", e.Got, e.Want)
}

// stranger tells a record of another format or kind from one of ours with a
// flipped bit in these two words, which the hash does not cover.
func stranger(want Kind, format, kind string) error {
	if flips(format, Format)+flips(kind, string(want)) <= 1 || !word(format) || !word(kind) {
		return damaged("has a damaged first line")
	}
	return &FormatError{Want: want, Format: format, Kind: kind}
}

// flips counts the bits in which two words differ; words of different lengths
// differ in many.
func flips(a, b string) int {
	if len(a) != len(b) {
		return 8 * max(len(a), len(b))
	}
	n := 0
	for i := range len(a) {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// word reports whether s can be a format or a kind.
func word(s string) bool {
	if len(s) > 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
