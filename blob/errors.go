package blob

import (
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
)

// Kind says what went wrong; see the constants of package driver, repeated here.
type Kind = driver.Kind

// The kinds of failure of a blob store.
const (
	Other       = driver.Other
	NotFound    = driver.NotFound
	Exists      = driver.Exists
	Mismatch    = driver.Mismatch
	Denied      = driver.Denied
	Throttled   = driver.Throttled
	Unavailable = driver.Unavailable
	Corrupt     = driver.Corrupt
	Invalid     = driver.Invalid
	TooLarge    = driver.TooLarge
)

// Error is any failure of a blob store: operation, blob, kind.
type Error struct {
	Op   string // "get", "put", "stat", "list", "delete", "open", …
	URI  string // of the blob, or of the root
	Kind Kind
	Err  error // the driver's own words; may be nil
}

func (e *Error) Error() string {
	message := fmt.Sprintf("blob %s %s: %s", e.Op, e.URI, e.Kind)
	if e.Err != nil {
		message += ": " + e.Err.Error()
	}
	return message
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, or Other.
func KindOf(err error) Kind {
	if e, ok := err.(*Error); ok && e != nil { // most errors are one of these two, and each operation asks
		return e.Kind
	}
	if e, ok := err.(*driver.Error); ok && e != nil {
		return e.Kind
	}
	if e, ok := errtree.AsType[*Error](err); ok {
		return e.Kind
	}
	if e, ok := errtree.AsType[*driver.Error](err); ok {
		return e.Kind
	}
	return Other
}

// Is reports whether err is a failure of a blob store of that kind. A nil error
// is of no kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }
