package record

import (
	"bytes"
	"encoding/json"
)

// Types is what a header says of the types of a call.
type Types struct {
	Schema  json.RawMessage `json:"schema"` // see Head; nil if there is none
	In, Out string          // fingerprints
}

// TypesReader reads the types of many headers. All calls of a function have the same,
// so it remembers how the last ones stood there and decodes only headers that differ.
// It is for one goroutine.
type TypesReader struct {
	known []byte // what stands in a header, from the schema to the end of Out
	types Types
}

// Of are the types of a header. Check must have accepted that, with this run id.
func (r *TypesReader) Of(header []byte, runID string) (Types, error) {
	at, scanned := scanOrigin(header, runID)
	if scanned && len(r.known) > 0 && bytes.HasPrefix(at.rest, r.known) {
		return r.types, nil
	}
	var types Types
	if err := (Record{Header: header}).Into(&types); err != nil {
		return types, err
	}
	if scanned {
		r.remember(at.rest, types)
	}
	return types, nil
}

// remember keeps the beginning of the rest of a header, if that alone says what the
// types are.
func (r *TypesReader) remember(rest []byte, types Types) {
	last, err := json.Marshal(types.Out)
	if err != nil {
		return
	}
	last = append([]byte(`,"out":`), last...)
	end := bytes.Index(rest, last)
	if end < 0 {
		return
	}
	known := rest[:end+len(last)]
	var alone Types
	if json.Unmarshal(append(append([]byte("{"), known[len(`",`):]...), '}'), &alone) != nil ||
		alone.In != types.In || alone.Out != types.Out || !bytes.Equal(alone.Schema, types.Schema) {
		return
	}
	r.known, r.types = bytes.Clone(known), types
}
