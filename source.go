package mops

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/TrilliantHealth/mops-go/internal/source"
)

// Source is a file or a folder as an input or an output, known by the hash of
// its content: neither its name nor its place enters the memo key. Its bytes go
// to the store when a call must be computed, and come from there when they are
// opened. The zero value is no source.
//
// A source is immutable and safe for concurrent use. What it stands for must
// not be changed while a call with it is under way: that is noticed, and an error.
type Source struct{ ref *source.Ref }

// File is a file of this machine. It is read when a call is made with it.
func File(path string) Source { return Source{source.File(path)} }

// Dir is a folder of this machine with all that is in it.
func Dir(path string) Source { return Source{source.Dir(path)} }

// At is a file at a URI: file:///data/x.csv, or in a blob store whose driver the
// program imports.
func At(uri string) Source { return Source{source.At(uri)} }

// FileAt is a file that goes to an explicit URI when a function returns it. As
// an input it is the same as [File].
func FileAt(path, uri string) Source { return Source{source.FileAt(path, uri)} }

var errNoSource = errors.New("mops: a zero Source has no content: make one with File, Dir or At")

// attach makes a source that was part of no call yet known to the environment.
func (s Source) attach(ctx context.Context) error {
	if s.ref == nil {
		return errNoSource
	}
	if env := envOf(ctx); env != nil {
		s.ref.Attach(env.files)
	}
	return nil
}

// Open opens a file for reading; folders have a [Source.Path]. One that lies in a
// store elsewhere is downloaded to the cache first, see [CacheDir], and verified.
// Bytes that are no longer there are a *blob.Error of kind NotFound that says what
// to do.
func (s Source) Open(ctx context.Context) (io.ReadSeekCloser, error) {
	if err := s.attach(ctx); err != nil {
		return nil, err
	}
	return s.ref.Open(ctx)
}

// OpenRange opens length bytes of a file from offset on; less where it ends
// before, and all that follow where length is negative. Only these are transferred,
// and so they cannot be verified. Otherwise see Open.
func (s Source) OpenRange(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if err := s.attach(ctx); err != nil {
		return nil, err
	}
	return s.ref.OpenRange(ctx, offset, length)
}

// Path is a file or folder on this machine with the content, for reading only. It
// may be the store's own. Where the content lies elsewhere, it is downloaded to the
// cache first; there it stays until ctx ends, and for an hour at least, unless
// somebody deletes the cache. Otherwise see Open.
func (s Source) Path(ctx context.Context) (string, error) {
	if err := s.attach(ctx); err != nil {
		return "", err
	}
	return s.ref.Path(ctx)
}

// URI is where the bytes are, as far as this process knows; "" where it does
// not. It is for people and for programs that are no part of mops: a function
// must not let its result depend on it.
func (s Source) URI() string {
	if s.ref == nil {
		return ""
	}
	return s.ref.URI()
}

// Hash is the SHA-256 of the content in hexadecimal, of a folder that of a list
// of its files; "" before the source was part of a call.
func (s Source) Hash() string {
	if s.ref == nil {
		return ""
	}
	if _, known := s.ref.Identity(); !known {
		return ""
	}
	return s.ref.Hash().String()
}

// Size is the length in bytes, of a folder that of all its files; -1 before
// the source was part of a call.
func (s Source) Size() int64 {
	if s.ref == nil {
		return -1
	}
	return s.ref.Size()
}

// IsZero reports whether s is no source.
func (s Source) IsZero() bool { return s.ref == nil }

// String names the source in messages.
func (s Source) String() string {
	if s.ref == nil {
		return "no source"
	}
	return s.ref.String()
}

// cborNull is how a zero Source is written (RFC 8949, section 3.3).
const cborNull = 0xf6

// MarshalCBOR writes what the source is known by: kind, hash and size.
func (s Source) MarshalCBOR() ([]byte, error) {
	if s.ref == nil {
		return []byte{cborNull}, nil
	}
	return s.ref.MarshalCBOR()
}

// UnmarshalCBOR reads what MarshalCBOR wrote.
func (s *Source) UnmarshalCBOR(data []byte) error {
	if len(data) == 1 && data[0] == cborNull {
		*s = Source{}
		return nil
	}
	ref, err := source.Decode(data)
	if err != nil {
		return err
	}
	if id, _ := ref.Identity(); id.Kind == source.KindValue {
		return fmt.Errorf("mops: found a %s where a file or folder should be", id)
	}
	s.ref = ref
	return nil
}
