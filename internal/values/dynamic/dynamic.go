// Package dynamic is for values whose Go types are not known: it reads what a
// record carries in CBOR, compares two such values field by field, and writes
// them for people and for programs. The command line tool and package explain
// stand above it; package codec wrote what it reads.
package dynamic

import (
	"encoding/hex"
	"math/big"
	"time"
)

// A value is one of these, as [Decode] makes them:
//
//	nil                             null
//	bool
//	int64, uint64, *big.Int         uint64 and *big.Int only where int64 is too small
//	float64
//	string
//	[]byte
//	[]any
//	Map
//	time.Time                       tag 0
//	Object                          tag 27
//	Source                          a map that mops writes for a file, a folder or a shared value
//	Tagged                          any other tag
//	Simple                          any other simple value
//	Duration                        an int64, where [Typed] knows it
//	Missing                         where the data ends or is wrong
//
// Byte strings are parts of the data that was decoded.

// Map is a CBOR map, in the order of the data. Structs are maps whose keys are
// strings: the names of their fields.
type Map []Entry

// Entry is one key of a map and what it stands for.
type Entry struct{ Key, Value any }

// Object is a value that stood in an interface.
type Object struct {
	Type  string // its registered name
	Value any
}

// Source is a file, a folder or a shared value, known by its content.
type Source struct {
	Kind string // "file", "dir" or "value"
	Hash string // SHA-256 in hexadecimal
	Size int64  // bytes
}

// Tagged is a value with a tag that has no meaning to mops.
type Tagged struct {
	Number uint64
	Value  any
}

// Simple is a simple value other than false, true and null (RFC 8949, section 3.3).
type Simple uint8

// Missing stands where a value could not be read.
type Missing struct{ Why string }

// Lookup finds what a text key stands for.
func (m Map) Lookup(key string) (value any, ok bool) {
	for _, e := range m {
		if e.Key == key {
			return e.Value, true
		}
	}
	return nil, false
}

// asSource recognises what package source writes: exactly these three fields.
func asSource(m Map) (s Source, ok bool) {
	if len(m) != 3 {
		return s, false
	}
	kind, _ := m.Lookup("kind")
	sum, _ := m.Lookup("sha256")
	size, _ := m.Lookup("size")
	var hash []byte
	s.Kind, _ = kind.(string)
	hash, _ = sum.([]byte)
	s.Size, ok = size.(int64)
	if !ok || (s.Kind != "file" && s.Kind != "dir" && s.Kind != "value") || len(hash) != 32 {
		return Source{}, false
	}
	s.Hash = hex.EncodeToString(hash)
	return s, true
}

// fromTag gives the tags their meaning that mops writes (RFC 8949, section 3.4,
// and tag 27 of the IANA registry for values in interfaces).
func fromTag(number uint64, content any) any {
	switch number {
	case tagTime:
		if text, ok := content.(string); ok {
			if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
				return t
			}
		}
	case tagBigPositive, tagBigNegative:
		if bytes, ok := content.([]byte); ok {
			n := new(big.Int).SetBytes(bytes)
			if number == tagBigNegative {
				n.Not(n) // -1 - n
			}
			return n
		}
	case tagObject:
		if pair, ok := content.([]any); ok && len(pair) == 2 {
			if name, ok := pair[0].(string); ok {
				return Object{Type: name, Value: pair[1]}
			}
		}
	}
	return Tagged{Number: number, Value: content}
}

const (
	tagTime        = 0
	tagBigPositive = 2
	tagBigNegative = 3
	tagObject      = 27
)
