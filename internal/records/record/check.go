package record

import (
	"bytes"
	"encoding/json"
	"strings"
)

const (
	headStart = `{"memo_key":"`
	headNext  = `","run_id":"`
	headLast  = `","schema":`
)

// Check returns the run id of a header that names memoKey. It scans headers as
// Seal writes them, in a tenth of the time that encoding/json needs, and
// decodes others. The error is a *ForeignError if the header names another memo
// key, a *FormatError if it does not decode.
func Check(header []byte, memoKey string) (runID string, err error) {
	if runID, ok := scan(header, memoKey); ok {
		return runID, nil
	}
	return decodeHead(header, memoKey)
}

// scan knows the one way in which Seal writes a Head of plain characters.
func scan(header []byte, memoKey string) (runID string, ok bool) {
	rest, ok := cutPrefix(header, headStart)
	if !ok {
		return "", false
	}
	if rest, ok = cutPrefix(rest, memoKey); !ok || strings.ContainsAny(memoKey, `"\`) {
		return "", false
	}
	if rest, ok = cutPrefix(rest, headNext); !ok {
		return "", false
	}
	for i, c := range rest {
		switch {
		case c == '"':
			return string(rest[:i]), true
		case c == '\\' || c < ' ' || c >= 0x7f:
			return "", false
		}
	}
	return "", false
}

// HasSchema reports whether a header has exactly this schema, as Seal writes
// it. Check must have accepted the header, with that run id. If HasSchema says
// no, the header may still have the schema in another spelling.
func HasSchema(header []byte, runID string, schema []byte) bool {
	skip := len(headStart) + hashLen + len(headNext) + len(runID) // a memo key is a hash
	if len(header) < skip {
		return false
	}
	rest, ok := cutPrefix(header[skip:], headLast)
	return ok && bytes.HasPrefix(rest, schema)
}

// Schema is that of a header; nil if it has none.
func Schema(header []byte) (json.RawMessage, error) {
	var head Head
	if err := (Record{Header: header}).Into(&head); err != nil {
		return nil, err
	}
	return head.Schema, nil
}

func cutPrefix(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

func decodeHead(header []byte, memoKey string) (runID string, err error) {
	var head Head
	if err := json.Unmarshal(header, &head); err != nil {
		return "", &FormatError{Format: Format, Reason: "its header does not decode: " + err.Error()}
	}
	if head.MemoKey != memoKey {
		return "", &ForeignError{Want: memoKey, Got: head.MemoKey}
	}
	return head.RunID, nil
}
