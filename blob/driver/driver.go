// Package driver is what a blob store must be able to do for mops to keep its
// records in it. Drivers implement [Store]; everybody else talks to the
// concrete blob.Store, which wraps one. It imports nothing of mops.
package driver

import (
	"context"
	"io"
	"iter"
	"time"
)

// Version is an opaque token for one state of one blob: it changes with every
// write of other content, and in some stores, but not in S3, with one of equal
// content, too. So whoever swaps, and must know that nobody was there in between,
// puts a nonce into what it writes. It is never empty for a blob that exists.
type Version string

// ScratchPrefix begins the keys of what a driver keeps for a while for itself,
// such as the parts of an upload. What a program that was killed leaves there
// may be removed when it is a week old.
const ScratchPrefix = "mops1-scratch/"

// Info describes a blob.
type Info struct {
	Key     string
	Size    int64     // bytes
	ModTime time.Time // by the clock of the store, never by that of the caller
	Version Version

	// SHA256 is the hash of the content in hexadecimal, from a Stat where the
	// store itself has checked it and tells it without reading the blob; else "".
	SHA256 string
}

// Range is a part of a blob. The zero value is the whole.
type Range struct {
	Offset int64 // bytes from the start; at or behind the end reads nothing
	Length int64 // bytes; 0 means up to the end
}

// PutOptions are the conditions and wishes of one put.
type PutOptions struct {
	// IfAbsent writes only where there is no blob; otherwise the error's kind
	// is Exists.
	IfAbsent bool

	// IfVersion writes only over exactly this version; otherwise, and also
	// when the blob is gone, the error's kind is Mismatch.
	IfVersion Version

	// Durable asks that the blob survives a loss of power once Put returned.
	// Without it a store may lose or tear the newest writes when the machine
	// (not the process) dies; checksums find that out.
	Durable bool
}

// Store is a flat space of blobs. Keys are slash-separated, already validated
// (blob.ValidKey), and relative to the root that the store was opened with.
//
// All methods may be called from any number of goroutines and, for stores that
// are shared, processes. A reader sees a whole blob or none: never part of a
// put. Errors are *[Error], so that callers can ask for the kind.
type Store interface {
	// Get opens a blob. The body ends with an error if the store cuts it short.
	Get(ctx context.Context, key string, part Range) (io.ReadCloser, Info, error)

	// Put writes a blob whole or not at all. Size is the length of body in
	// bytes, or -1 where it is not known; a body of another length is an error
	// and writes nothing.
	Put(ctx context.Context, key string, body io.Reader, size int64, opts PutOptions) (Info, error)

	// Stat describes a blob without reading it.
	Stat(ctx context.Context, key string) (Info, error)

	// List yields the blobs whose key starts with prefix (a plain string
	// prefix), in byte order of their keys, from startAt (inclusive) on.
	List(ctx context.Context, prefix, startAt string) iter.Seq2[Info, error]

	// Delete removes a blob; one that is not there is no error. It is for
	// maintenance: what it does to a conditional put of the same key at the
	// same moment is up to the store.
	Delete(ctx context.Context, key string) error

	// Close ends the use of the store.
	Close() error
}

// Optional abilities. blob.Store uses them where a driver has them.
type (
	// Slurper reads a small blob whole, cheaper than Get does, appending to buf.
	// Of one that has more than limit bytes it reads nothing: the error's kind is
	// TooLarge then. With errors of this kind and of kind Corrupt comes the Info.
	Slurper interface {
		Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, Info, error)
	}

	// Clock tells the time by the clock that also dates the blobs (Info.ModTime).
	Clock interface {
		Now(ctx context.Context) (time.Time, error)
	}

	// Local knows the file in which a blob lies, for reading only.
	Local interface {
		LocalPath(ctx context.Context, key string) (string, error)
	}

	// Identified tells apart stores whose root URIs are the same, such as one
	// bucket's name at two endpoints: endpoint, bucket and path, for example,
	// no secrets, and nothing that changes from one process to the next. blob.Store asks
	// once, when it is made, so decorators need not pass it on.
	Identified interface {
		Identity() string
	}
)
