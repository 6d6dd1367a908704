package memokey

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
)

// Format is the name of the store format. It is the first segment of every memo
// path and the first thing that goes into a memo key.
const Format = "mops1"

// Key is a memo key: the SHA-256 over all that decides the result of a call.
type Key [sha256.Size]byte

// String is the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// ParseKey is the inverse of [Key.String].
func ParseKey(s string) (k Key, err error) {
	if len(s) != hex.EncodedLen(len(k)) {
		return k, notKey(s)
	}
	if _, err := hex.Decode(k[:], []byte(s)); err != nil || k.String() != s { // capitals make another blob
		return Key{}, notKey(s)
	}
	return k, nil
}

func notKey(s string) error {
	return fmt.Errorf("%q is not a memo key: that is %d lower-case hexadecimal digits", s, hex.EncodedLen(sha256.Size))
}

// Parts is what a memo key is made of.
type Parts struct {
	Name    string   // of the function
	Version string   // of the function
	Calls   []string // name@version of every function that it reaches
	In, Out string   // fingerprints of its types
	Schema  string   // what they leave out; "" but for keys that say it
	Input   []byte   // in canonical form
}

// Key hashes the parts.
func (p Parts) Key() Key { return NewHasher(p).Key(p.Input) }

// Hasher makes the keys of one function's calls. It is safe for concurrent use.
//
// A key is the hash over the function and the input: the function counts by the
// hash over all that describes it, which is made once.
type Hasher struct{ function [sha256.Size]byte }

// NewHasher prepares the keys of the function that p describes; p.Input is not
// looked at, and the order of p.Calls does not matter.
func NewHasher(p Parts) *Hasher {
	h := sha256.New()
	writePart(h, Format)
	writePart(h, p.Name)
	writePart(h, p.Version)
	calls := slices.Sorted(slices.Values(p.Calls))
	writeLength(h, len(calls))
	for _, call := range calls {
		writePart(h, call)
	}
	writePart(h, p.In)
	writePart(h, p.Out)
	if p.Schema != "" {
		writePart(h, p.Schema)
	}
	return &Hasher{function: [sha256.Size]byte(h.Sum(nil))}
}

// smallInput is how long an input may be, in bytes, to be hashed without a copy
// on the heap.
const smallInput = 2 << 10

// Key is the key of the call with that input.
func (h *Hasher) Key(input []byte) (k Key) {
	if len(input) <= smallInput {
		var both [sha256.Size + smallInput]byte
		n := copy(both[:], h.function[:])
		n += copy(both[n:], input)
		return sha256.Sum256(both[:n])
	}
	state := sha256.New()
	state.Write(h.function[:])
	state.Write(input)
	state.Sum(k[:0])
	return k
}

// writePart writes a part behind its length in 8 bytes, so that no two lists of
// parts make the same stream.
func writePart[T ~string | ~[]byte](h hash.Hash, part T) {
	writeLength(h, len(part))
	h.Write([]byte(part))
}

func writeLength(h hash.Hash, n int) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}
