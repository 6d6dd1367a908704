package record

import (
	"bytes"
	"encoding/json"
	"strings"
)

const (
	headStart = `{"memo_key":"`
	headNext  = `","run_id":"`
	headCode  = `","code":"`
	headBelow = `","callees":"`
	headFunc  = `","func":"`
	headLast  = `","schema":`
	headCall  = `","function":`
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

// OriginOf is what a header says of the code that made the record. Check must
// have accepted the header, with that run id. Like Check, it scans headers as
// Seal writes them.
func OriginOf(header []byte, runID string) (Origin, error) {
	if s, ok := scanOrigin(header, runID); ok {
		return Origin{Code: string(s.code), Callees: string(s.callees), Func: string(s.function)}, nil
	}
	var head Head
	err := (Record{Header: header}).Into(&head)
	return head.Origin, err
}

// HasOrigin reports whether a header has exactly this origin, as Seal writes
// it: it takes no memory, as every hit asks. If it says no, see OriginOf.
func HasOrigin(header []byte, runID string, o Origin) bool {
	s, ok := scanOrigin(header, runID)
	return ok && string(s.code) == o.Code && string(s.callees) == o.Callees && string(s.function) == o.Func
}

// HasSchema reports whether a header has exactly this schema, as Seal writes
// it. Check must have accepted the header, with that run id. If HasSchema says
// no, the header may still have the schema in another spelling.
func HasSchema(header []byte, runID string, schema []byte) bool {
	s, ok := scanOrigin(header, runID)
	if ok {
		s.rest, ok = cutPrefix(s.rest, headLast)
	}
	return ok && bytes.HasPrefix(s.rest, schema)
}

// scanned is an origin as it stands in a header. The rest begins with the
// quotation mark before the next field.
type scanned struct{ code, callees, function, rest []byte }

// scanOrigin knows the one way in which Seal writes an origin of plain
// characters.
func scanOrigin(header []byte, runID string) (s scanned, ok bool) {
	skip := len(headStart) + hashLen + len(headNext) + len(runID) // a memo key is a hash
	if len(header) < skip {
		return s, false
	}
	if s.code, s.rest, ok = scanField(header[skip:], headCode); ok {
		s.callees, s.rest, ok = scanField(s.rest, headBelow)
	}
	if ok {
		s.function, s.rest, ok = scanField(s.rest, headFunc)
	}
	// Where something else follows, the origin may stand behind that.
	return s, ok && (hasPrefix(s.rest, headLast) || hasPrefix(s.rest, headCall))
}

// scanField is the value of an optional field. It is not ok if that has
// characters for which JSON has another spelling.
func scanField(header []byte, begin string) (value, rest []byte, ok bool) {
	rest, found := cutPrefix(header, begin)
	if !found {
		return nil, header, true
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return nil, header, false
	}
	return rest[:end], rest[end:], true
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
	if !hasPrefix(b, prefix) {
		return b, false
	}
	return b[len(prefix):], true
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
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
