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

// Check returns the run id of a header that names memoKey. Headers as Seal
// writes them are scanned, which takes a tenth of the time that encoding/json
// needs; others are decoded. The error is *ForeignError when the header names
// another memo key, *FormatError when it does not decode.
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

// HasSchema reports whether a header that Check has found in order, of that run,
// has exactly this schema, as Seal writes it. Where it says no, the header may
// have it written otherwise.
func HasSchema(header []byte, runID string, schema []byte) bool {
	skip := len(headStart) + hashLen + len(headNext) + len(runID) // a memo key is a hash
	if len(header) < skip {
		return false
	}
	rest, ok := cutPrefix(header[skip:], headLast)
	return ok && bytes.HasPrefix(rest, schema)
}

// Schema is that of a header; nil where it has none.
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
