// Package record is the store format mops1: one blob carries a header that
// people can read, a body that any CBOR tool can read, and the proof that
// neither was damaged. The package knows how records are written and read, not
// when or by whom: lease, orchestrate and worker stand above it, package blob
// below.
package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// Format is the first word of every record.
//
// A later format keeps the shape of line 1 and takes a word that differs from
// this one in at least two bits: mops2 or mops4, never mops3, mops5 or mops9.
// So one flipped bit never makes an old record look like a new one.
const Format = "mops1"

// Kind is the second word of a record.
type Kind string

// The kinds of record. Any two differ in many bits, as formats do.
const (
	KindResult     Kind = "result"
	KindInvocation Kind = "invocation"
	KindError      Kind = "error"
	KindLease      Kind = "lease"
	KindSession    Kind = "session"
	KindPack       Kind = "pack"   // a part of a list of calls; see package packs
	KindLedger     Kind = "ledger" // what became of some of them
)

// Record is a record that Open found whole. Header and Body lie in the data
// given to Open.
type Record struct {
	Header []byte // one JSON object, without the newline
	Body   []byte // CBOR, or nothing; of a pack and a ledger what package packs says
}

// Seal makes a record: line 1, the header as a line of JSON, the body. It fails
// only if the header cannot be written as JSON, or if the record is larger than
// Kind.Limit.
func Seal(kind Kind, header any, body []byte) ([]byte, error) {
	text := headers.Get().(*bytes.Buffer)
	defer recycle(text)
	text.Reset()
	encoder := json.NewEncoder(text) // ends with a newline and writes none before it
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(header); err != nil {
		return nil, fmt.Errorf("the header of a record of kind %s cannot be written as JSON: %w", kind, err)
	}
	length := text.Len() + len(body)
	size := len(Format) + len(kind) + hashLen + maxDigits + 4 + length
	if int64(size) > kind.Limit() {
		return nil, fmt.Errorf("a record of kind %s of %d bytes is larger than the %d that it may have", kind, size, kind.Limit())
	}
	out := make([]byte, 0, size)
	out = append(append(append(append(out, Format...), ' '), kind...), ' ')
	hashAt := len(out)
	out = append(append(out, zeros...), ' ')
	out = append(strconv.AppendInt(out, int64(length), 10), '\n')
	restAt := len(out)
	out = append(append(out, text.Bytes()...), body...)
	sum := sha256.Sum256(out[restAt:])
	hex.Encode(out[hashAt:], sum[:])
	return out, nil
}

// Open takes a record apart after checking all of it against line 1. The error
// is ErrDamaged, or a *FormatError for an intact record that is not ours to
// read. It does not parse the header: see Check and Record.Into.
func Open(kind Kind, data []byte) (Record, error) {
	return open(kind, data, parseLine)
}

// OpenChecked is Open for a sound record that was hashed on its way here: it does not
// hash it once more.
func OpenChecked(kind Kind, data []byte) (Record, error) {
	return open(kind, data, func(line, _ []byte) (format, kind []byte, ok bool) {
		format, kind, _, _ = words(line)
		return format, kind, true
	})
}

func open(kind Kind, data []byte, parseLine func(line, rest []byte) (format, kind []byte, ok bool)) (Record, error) {
	line, rest, found := bytes.Cut(data, newline)
	if !found {
		return Record{}, damaged("has no complete first line")
	}
	format, foundKind, ok := parseLine(line, rest)
	if !ok {
		return Record{}, damaged("does not match its first line")
	}
	if string(format) != Format || string(foundKind) != string(kind) {
		return Record{}, stranger(kind, string(format), string(foundKind))
	}
	header, body, found := bytes.Cut(rest, newline)
	if !found {
		return Record{}, &FormatError{Want: kind, Format: Format, Kind: string(kind), Reason: "its header does not end"}
	}
	return Record{Header: header, Body: body}, nil
}

// Into decodes the header, and ignores fields that v does not have. A failure
// is a *FormatError: the record is intact, so nobody may replace it.
func (r Record) Into(v any) error {
	if err := json.Unmarshal(r.Header, v); err != nil {
		return &FormatError{Format: Format, Reason: "its header does not decode: " + err.Error()}
	}
	return nil
}

const (
	hashLen   = 2 * sha256.Size
	maxDigits = 19 // of an int64
)

var (
	newline = []byte{'\n'}
	space   = []byte{' '}
	zeros   = bytes.Repeat([]byte{'0'}, hashLen)
	headers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// recycle keeps a buffer for the next header, unless it grew unusually big.
func recycle(text *bytes.Buffer) {
	if text.Cap() <= 64<<10 {
		headers.Put(text)
	}
}

// parseLine returns the first two words of a line that matches the rest in hash
// and length. It refuses any spelling that Seal does not write: capital digits
// of the hash, a length with leading zeros, a second space.
func parseLine(line, rest []byte) (format, kind []byte, ok bool) {
	format, kind, hash, length := words(line)
	if len(format) == 0 || len(kind) == 0 || len(hash) != hashLen {
		return nil, nil, false
	}
	var digits [maxDigits + 1]byte
	if !bytes.Equal(length, strconv.AppendInt(digits[:0], int64(len(rest)), 10)) {
		return nil, nil, false
	}
	var want [hashLen]byte
	sum := sha256.Sum256(rest)
	hex.Encode(want[:], sum[:])
	return format, kind, bytes.Equal(hash, want[:])
}

// words are the four of a first line.
func words(line []byte) (format, kind, hash, length []byte) {
	format, line, _ = bytes.Cut(line, space)
	kind, line, _ = bytes.Cut(line, space)
	hash, length, _ = bytes.Cut(line, space)
	return format, kind, hash, length
}
