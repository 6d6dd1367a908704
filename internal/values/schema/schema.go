// Package schema describes the parts of a function's types that their
// fingerprints leave out: omitzero fields, and all that is below them. Two
// programs may differ there and make the same memo key. Records carry the
// description, so that a program can tell a result that it may use from one in
// which it would find zeros that nobody computed.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Types are the parts of a function's types that their fingerprints leave out.
type Types struct {
	In  Graph `json:"in,omitempty"`
	Out Graph `json:"out,omitempty"`
}

// Graph is a type as a graph of its parts. The type itself comes first, the
// others in the order in which they are met. A part that neither has an
// omitzero field nor lies in one is left out: the fingerprint covers it. So the
// graph of most types is empty. Types that are built alike have the same graph.
// A whole graph leaves nothing out. Nothing is decided by it: it tells people
// what a fingerprint stands for.
type Graph []Node

// Node is one type.
type Node struct {
	Kind  string         `json:"kind"`
	Parts map[string]int `json:"parts,omitempty"` // by name: the index in the graph

	// These are for people, and only in whole graphs: fingerprints know neither.
	Unit  string   `json:"unit,omitempty"`  // Duration, for a number that is one
	Order []string `json:"order,omitempty"` // names of a struct's fields as it declares them
}

// Duration is the unit of a number that is a time.Duration.
const Duration = "duration"

// The names of parts. A part with a name of its own has it behind the word.
const (
	Key       = "key"        // of a map
	Elem      = "elem"       // of a pointer, slice, array or map
	Value     = "value"      // the value that a shared value stands for
	Field     = "field "     // of a struct
	Impl      = "type "      // a type that an interface may hold
	OmitEmpty = "omitempty " // before a field
	OmitZero  = "omitzero "  // before that
)

// Encode writes the types as JSON, as records have them.
func (t Types) Encode() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // as record.Seal does
	if err := encoder.Encode(t); err != nil {
		return nil, fmt.Errorf("the schema of a type cannot be written as JSON: %w", err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// Parse is the inverse of [Types.Encode]. It ignores unknown fields.
func Parse(text []byte) (t Types, err error) {
	if err := json.Unmarshal(text, &t); err != nil {
		return Types{}, err
	}
	for _, g := range []Graph{t.In, t.Out} {
		for _, n := range g {
			for name, part := range n.Parts {
				if part < 0 || part >= len(g) {
					return Types{}, fmt.Errorf("part %q is number %d of %d", name, part, len(g))
				}
			}
		}
	}
	return t, nil
}
