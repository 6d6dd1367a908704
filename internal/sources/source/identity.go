package source

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Hash is the SHA-256 of some content.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(h[:], text[:min(len(text), 2*len(h))]); err != nil || n != len(h) || len(text) != 2*len(h) {
		return fmt.Errorf("%q is not a SHA-256 in hexadecimal", text)
	}
	return nil
}

// UnmarshalCBOR insists on the length; the library's arrays of bytes do not.
func (h *Hash) UnmarshalCBOR(data []byte) error {
	var sum []byte
	if err := decoding.Unmarshal(data, &sum); err != nil {
		return err
	}
	if len(sum) != len(h) {
		return fmt.Errorf("a SHA-256 has %d bytes, not %d", len(h), len(sum))
	}
	copy(h[:], sum)
	return nil
}

// Kind is what a source is.
type Kind string

const (
	KindFile Kind = "file"
	KindDir  Kind = "dir"
	// KindValue is the encoding of a value that many calls share.
	KindValue Kind = "value"
)

// Identity identifies a source, whatever its place and name: only it enters a
// memo key and a record.
type Identity struct {
	Kind Kind  `cbor:"kind" json:"kind"`
	Hash Hash  `cbor:"sha256" json:"sha256"` // of a folder: of its manifest
	Size int64 `cbor:"size" json:"size"`     // bytes; of a folder: of all its files
}

func (id Identity) String() string {
	return fmt.Sprintf("%s of %d bytes with SHA-256 %s", id.Kind, id.Size, id.Hash)
}

// ContentPrefix begins the keys of content, before the hash.
const ContentPrefix = "mops1-blobs/sha256/"

// BlobKey is the key of content with this hash.
func BlobKey(h Hash) string { return ContentPrefix + h.String() }

// HashOf is the inverse of BlobKey; ok is false for other keys.
func HashOf(key string) (h Hash, ok bool) {
	text, ok := strings.CutPrefix(key, ContentPrefix)
	if !ok || h.UnmarshalText([]byte(text)) != nil || h.String() != text {
		return Hash{}, false
	}
	return h, true
}

// ours reports whether only mops writes blobs under a key of a root. A user may
// have files below the same root, and name their URIs.
func ours(key string) bool {
	return strings.HasPrefix(key, ContentPrefix) || strings.HasPrefix(key, recordPrefix)
}

const recordPrefix = "mops1/"

// One encoding for one value: RFC 8949, section 4.2.1.
var encoding = func() cbor.EncMode {
	options := cbor.CoreDetEncOptions()
	options.NilContainers = cbor.NilContainerAsEmpty
	options.TextMarshaler = cbor.TextMarshalerNone
	mode, err := options.EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

var decoding = newDecoding()

func newDecoding() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxArrayElements:  maxEntries,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}

// MarshalCBOR writes the identity. It fails before the content was hashed.
func (r *Ref) MarshalCBOR() ([]byte, error) {
	id, ok := r.Identity()
	if !ok {
		return nil, fmt.Errorf("source %s: its content was not hashed yet, so it cannot be encoded: pass it to a call, or return it from one", r)
	}
	return encoding.Marshal(id)
}

// Decode reads what MarshalCBOR wrote. The result has its identity, but before
// Bind not the place of its bytes.
func Decode(data []byte) (*Ref, error) {
	var id Identity
	if err := decoding.Unmarshal(data, &id); err != nil {
		return nil, fmt.Errorf("decode a source: %w", err)
	}
	switch {
	case id.Kind != KindFile && id.Kind != KindDir && id.Kind != KindValue:
		return nil, fmt.Errorf("decode a source: kind %q is none of %q, %q and %q", id.Kind, KindFile, KindDir, KindValue)
	case id.Hash == Hash{}:
		return nil, errors.New("decode a source: it has no sha256")
	case id.Size < 0:
		return nil, fmt.Errorf("decode a source: size %d is negative", id.Size)
	}
	return &Ref{content: &content{id: id, file: object{sum: id.Hash, size: sizeOfBlob(id)}}}, nil
}

// sizeOfBlob is the length of the blob that holds the content, or unknownSize
// for a folder's manifest.
func sizeOfBlob(id Identity) int64 {
	if id.Kind == KindDir {
		return unknownSize
	}
	return id.Size
}
