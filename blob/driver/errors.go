package driver

import (
	"fmt"
	"time"
)

// Kind is what went wrong, in the few ways that callers act on differently. The
// list only grows.
type Kind uint8

// The kinds of failure.
const (
	Other       Kind = iota // none of the others
	NotFound                // there is no such blob
	Exists                  // a put with IfAbsent found a blob
	Mismatch                // a put with IfVersion found another version, or no blob
	Denied                  // the store forbids it, or does not know us
	Throttled               // the store asks us to slow down
	Unavailable             // the store cannot be reached, or failed for now; full disks too
	Corrupt                 // what came back is not what was stored
	Invalid                 // the key, the URI or the request is not valid
	TooLarge                // the blob has more bytes than the caller wants in memory
)

var kindNames = [...]string{"failed", "not found", "exists already", "changed meanwhile",
	"permission denied", "throttled", "unavailable", "corrupt", "invalid", "too large"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is how drivers report a failure. Err may be nil if the kind says it
// all.
type Error struct {
	Kind Kind
	Err  error

	// RetryAfter is how long the store asks to wait before the next try; 0 if it
	// does not ask.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Kind.String()
	}
	return e.Kind.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// CheckSize is the error with which a Slurper refuses a blob of size bytes if
// that is more than limit; else nil.
func CheckSize(size, limit int64) error {
	if size <= limit {
		return nil
	}
	return &Error{Kind: TooLarge, Err: fmt.Errorf("it has %d bytes, and no more than %d are read into memory", size, limit)}
}
