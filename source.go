package mops

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Source is a file or a folder as an input or an output, known by the hash of
// its content: neither its name nor its place enters the memo key. Its bytes go
// to the store when a call must be computed, and come from there when a program
// opens it. The zero value is no source.
//
// A source is immutable and safe for concurrent use. Do not change its file or
// folder while a call with it is under way: mops notices that, and the call
// fails.
type Source struct{ ref *source.Ref }

// File is a file of this machine. The path is made absolute at once; mops reads
// the file, and checks the path, when a call is made with it.
func File(path string) Source { return Source{source.File(path)} }

// Dir is a folder of this machine with all that is in it; see [File].
func Dir(path string) Source { return Source{source.Dir(path)} }

// At is a file at a URI: file:///data/x.csv, or in a blob store whose driver
// the program imports. A file:// URI may also name a folder.
func At(uri string) Source { return Source{source.At(uri)} }

// FileAt is a file that goes to an explicit URI when a function returns it. As
// an input it is the same as [File].
func FileAt(path, uri string) Source { return Source{source.FileAt(path, uri)} }

// Bytes is a file whose content is a copy of data, in the memory of this
// process: for what a program made or fetched itself. It is the same input as a
// [File] with this content.
func Bytes(data []byte) Source { return Source{source.Bytes(data)} }

var errNoSource = errors.New("mops: a zero Source has no content: make one with File, Dir, Bytes or At")

// attach tells a source that was part of no call yet which environment it is
// in.
func (s Source) attach(ctx context.Context) error {
	if s.ref == nil {
		return errNoSource
	}
	if env := envOf(ctx); env != nil {
		s.ref.Attach(env.files)
	}
	return nil
}

// Open opens a file for reading; for a folder it fails, see [Source.Path]. It
// first downloads a file from a remote store to the cache, see [CacheDir], and
// verifies it. If the bytes are gone, the error wraps a *blob.Error of kind
// blob.NotFound and says what to do; if they are not what was stored, of kind
// blob.Corrupt.
func (s Source) Open(ctx context.Context) (io.ReadSeekCloser, error) {
	if err := s.attach(ctx); err != nil {
		return nil, err
	}
	return s.ref.Open(ctx)
}

// OpenRange opens length bytes of a file from offset on, both in bytes: fewer
// if the file ends before, and all the rest if length is negative. It transfers
// only these, so it cannot verify them, unless the file is on this machine. A
// negative offset is an error. See [Source.Open] for the other errors.
func (s Source) OpenRange(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if err := s.attach(ctx); err != nil {
		return nil, err
	}
	return s.ref.OpenRange(ctx, offset, length)
}

// ReadAll reads a whole file into memory, and verifies it; [Source.Size] says
// how much that takes. See [Source.Open] for its errors.
func (s Source) ReadAll(ctx context.Context) ([]byte, error) {
	if err := s.attach(ctx); err != nil {
		return nil, err
	}
	return s.ref.ReadAll(ctx)
}

// CopyTo writes a file to a path of this machine, in little memory, and verifies
// it. It replaces a file there only when the whole content is on the disk;
// after an error, or the end of ctx, that file is what it was, and there is no
// other. The folder must be there. The new file has the permissions of one that
// the program creates. See [Source.Open] for further errors.
func (s Source) CopyTo(ctx context.Context, path string) error {
	if err := s.attach(ctx); err != nil {
		return err
	}
	return s.ref.CopyTo(ctx, path)
}

// Path is the path of a file or folder on this machine with the content, for
// reading only: it may be the store's own. Path first downloads content from
// elsewhere to the cache; there it stays until ctx ends, and for an hour at
// least, unless somebody deletes the cache. See [Source.Open] for its errors.
func (s Source) Path(ctx context.Context) (string, error) {
	if err := s.attach(ctx); err != nil {
		return "", err
	}
	return s.ref.Path(ctx)
}

// URI is where the bytes are, as far as this process knows; otherwise "". It is
// for people and for programs that are no part of mops: a function must not let
// its result depend on it.
func (s Source) URI() string {
	if s.ref == nil {
		return ""
	}
	return s.ref.URI()
}

// Hash is the SHA-256 of the content in hexadecimal; for a folder, of a list of
// its files. It is "" until the source is part of a call.
func (s Source) Hash() string {
	if s.ref == nil {
		return ""
	}
	if _, known := s.ref.Identity(); !known {
		return ""
	}
	return s.ref.Hash().String()
}

// Size is the length in bytes, of a folder that of all its files; -1 until the
// source is part of a call.
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

// MarshalCBOR writes kind, hash and size of the content, which identify it. It
// fails before the source was part of a call.
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
