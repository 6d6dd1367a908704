// Package driver says what a blob store must be able to do for mops to keep its
// records in it. Drivers implement [Store]; everybody else talks to the
// concrete blob.Store, which wraps one. It imports nothing of mops.
package driver

import (
	"context"
	"io"
	"iter"
	"time"
)

// Version is an opaque token for one state of one blob. It changes with every
// write of other content; in some stores, but not in S3, also with a write of
// equal content. So a writer that swaps, and must know that nobody wrote in
// between, puts a nonce into the content. It is never empty for a blob that
// exists.
type Version string

// ScratchPrefix begins the keys of blobs that a driver keeps for itself for a
// while, such as the parts of an upload. mops gc may remove them when they are
// a week old: a killed program left them.
const ScratchPrefix = "mops1-scratch/"

// Info describes a blob.
type Info struct {
	Key     string
	Size    int64     // bytes
	ModTime time.Time // by the clock of the store, never by that of the caller
	Version Version

	// SHA256 is the hash of the content in hexadecimal, from a Stat, if the store
	// itself checked it and tells it without reading the blob; else "".
	SHA256 string
}

// Range is a part of a blob. The zero value is the whole. A negative number is
// an error of kind Invalid.
type Range struct {
	Offset int64 // bytes from the start; at or behind the end reads nothing
	Length int64 // bytes; 0 means up to the end
}

// PutOptions are the conditions and wishes of one put. The two conditions
// exclude each other: together they are an error of kind Invalid.
type PutOptions struct {
	// IfAbsent writes only if there is no blob; otherwise the error's kind is
	// Exists.
	IfAbsent bool

	// IfVersion writes only over exactly this version; otherwise, and also if the
	// blob is gone, the error's kind is Mismatch.
	IfVersion Version

	// Durable asks that the blob survive a loss of power once Put has returned.
	// Without it a store may lose or tear the newest writes when the machine (not
	// the process) dies; checksums find that out.
	Durable bool
}

// Store is a flat space of blobs. Keys are slash-separated, already validated
// (blob.ValidKey), and relative to the root that the store was opened with.
//
// All methods may be called from any number of goroutines and, for stores that
// are shared, processes. A reader sees a whole blob or none: never part of a
// put. Errors are *[Error], so that callers can ask for the kind; the end of
// ctx is reported with ctx's own error.
type Store interface {
	// Get opens a blob; the caller closes the body. The Info describes the whole
	// blob. If there is no blob, the error's kind is NotFound. The body ends with
	// an error if the store cuts it short.
	Get(ctx context.Context, key string, part Range) (io.ReadCloser, Info, error)

	// Put writes a blob whole or not at all. size is the length of body in bytes,
	// or -1 if it is not known; a body of another length is an error and writes
	// nothing. An error of the body stays in the chain of the returned one.
	Put(ctx context.Context, key string, body io.Reader, size int64, opts PutOptions) (Info, error)

	// Stat describes a blob without reading it. If there is no blob, the error's
	// kind is NotFound.
	Stat(ctx context.Context, key string) (Info, error)

	// List yields the blobs whose key starts with prefix (a plain string prefix),
	// in byte order of their keys, from startAt (inclusive) on. It ends after the
	// first error.
	List(ctx context.Context, prefix, startAt string) iter.Seq2[Info, error]

	// Delete removes a blob; if there is none, that is no error. It is for
	// maintenance: its effect on a conditional put of the same key at the same
	// moment is up to the store.
	Delete(ctx context.Context, key string) error

	// Close ends the use of the store.
	Close() error
}

// Optional abilities. blob.Store uses them where a driver has them.
type (
	// Slurper reads a small blob whole, cheaper than Get does, and appends it to
	// buf. Of a blob of more than limit bytes it reads nothing; the error's kind is
	// TooLarge. With errors of this kind and of kind Corrupt comes the Info.
	Slurper interface {
		Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, Info, error)
	}

	// Clock tells the time by the clock that also dates the blobs (Info.ModTime).
	Clock interface {
		Now(ctx context.Context) (time.Time, error)
	}

	// Local knows the file in which a blob lies, for reading only. If there is no
	// blob, the error's kind is NotFound.
	Local interface {
		LocalPath(ctx context.Context, key string) (string, error)
	}

	// Identified tells apart stores whose root URIs are the same, such as buckets
	// of one name at two endpoints. The text holds, for example, endpoint, bucket
	// and path, no secrets, and nothing that changes from one process to the next.
	// blob.Store asks once, when it is made, so decorators need not pass it on.
	Identified interface {
		Identity() string
	}
)
