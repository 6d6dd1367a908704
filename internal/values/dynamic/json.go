package dynamic

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
)

// JSON makes a value encode as JSON that says all that the value says. Where
// JSON has no word for something, an object with one key that begins with "$"
// stands for it:
//
//	{"$bytes": "AAEC"}                    a byte string, in base64 (RFC 4648, section 4)
//	{"$float": "NaN"}                     NaN, +Inf, -Inf
//	{"$time": "2026-11-23T14:12:00Z"}     a time, RFC 3339 in UTC
//	{"$type": "name", "$value": …}        a value of that registered type, in an interface
//	{"$source": {"kind": "file", …}}      a file, folder or shared value
//	{"$map": [[key, value], …]}           a map whose keys are not all strings, or has a key with a "$"
//	{"$tag": 42, "$value": …}             another tag of CBOR
//	{"$simple": 99}                       another simple value
//	{"$absent": true}                     a field that is not there
//	{"$unreadable": "why"}                what was damaged
//
// Numbers have all their digits: readers that only know 64-bit floats lose some.
type JSON struct{ Value any }

// MarshalJSON implements json.Marshaler.
func (j JSON) MarshalJSON() ([]byte, error) { return appendJSON(nil, j.Value) }

func appendJSON(to []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(to, "null"...), nil
	case bool:
		return strconv.AppendBool(to, v), nil
	case int64:
		return strconv.AppendInt(to, v, 10), nil
	case uint64:
		return strconv.AppendUint(to, v, 10), nil
	case *big.Int:
		return v.Append(to, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Appendf(to, `{"$float":"%s"}`, strconv.FormatFloat(v, 'g', -1, 64)), nil
		}
		return appendMarshal(to, v)
	case string:
		return appendMarshal(to, v)
	case []byte:
		to = append(to, `{"$bytes":"`...)
		to = base64.StdEncoding.AppendEncode(to, v)
		return append(to, `"}`...), nil
	case time.Time:
		return fmt.Appendf(to, `{"$time":"%s"}`, v.UTC().Format(time.RFC3339Nano)), nil
	case Source:
		return fmt.Appendf(to, `{"$source":{"kind":"%s","sha256":"%s","size":%d}}`, v.Kind, v.Hash, v.Size), nil
	case Simple:
		return fmt.Appendf(to, `{"$simple":%d}`, v), nil
	case Absent:
		return append(to, `{"$absent":true}`...), nil
	case Missing:
		to, err := appendMarshal(append(to, `{"$unreadable":`...), v.Why)
		return append(to, '}'), err
	case Object:
		to, err := appendMarshal(append(to, `{"$type":`...), v.Type)
		if err != nil {
			return to, err
		}
		to, err = appendJSON(append(to, `,"$value":`...), v.Value)
		return append(to, '}'), err
	case Tagged:
		to, err := appendJSON(fmt.Appendf(to, `{"$tag":%d,"$value":`, v.Number), v.Value)
		return append(to, '}'), err
	case []any:
		return appendList(to, v)
	case Map:
		return appendMap(to, v)
	}
	return to, fmt.Errorf("a %T is no value of this package", value)
}

func appendMarshal(to []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(to, text...), err
}

func appendList(to []byte, list []any) (_ []byte, err error) {
	to = append(to, '[')
	for i, element := range list {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = appendJSON(to, element); err != nil {
			return to, err
		}
	}
	return append(to, ']'), nil
}

func appendMap(to []byte, m Map) (_ []byte, err error) {
	if !m.plain() {
		pairs := make([]any, len(m))
		for i, e := range m {
			pairs[i] = []any{e.Key, e.Value}
		}
		to, err = appendList(append(to, `{"$map":`...), pairs)
		return append(to, '}'), err
	}
	to = append(to, '{')
	for i, e := range m {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = appendMarshal(to, e.Key); err != nil {
			return to, err
		}
		if to, err = appendJSON(append(to, ':'), e.Value); err != nil {
			return to, err
		}
	}
	return append(to, '}'), nil
}

// plain reports whether a map can be an object of JSON without being mistaken.
func (m Map) plain() bool {
	for _, e := range m {
		key, ok := e.Key.(string)
		if !ok || len(key) > 0 && key[0] == '$' {
			return false
		}
	}
	return true
}
