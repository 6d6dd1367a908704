package dynamic

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
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
	case Duration:
		return strconv.AppendInt(to, int64(v), 10), nil
	case uint64:
		return strconv.AppendUint(to, v, 10), nil
	case *big.Int:
		return v.Append(to, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return appendObject(to, Map{{"$float", strconv.FormatFloat(v, 'g', -1, 64)}})
		}
		return appendMarshal(to, v)
	case string:
		return appendMarshal(to, v)
	case []byte:
		return appendObject(to, Map{{"$bytes", base64.StdEncoding.EncodeToString(v)}})
	case time.Time:
		return appendObject(to, Map{{"$time", v.UTC().Format(time.RFC3339Nano)}})
	case Source:
		return appendObject(to, Map{{"$source", Map{{"kind", v.Kind}, {"sha256", v.Hash}, {"size", v.Size}}}})
	case Simple:
		return appendObject(to, Map{{"$simple", int64(v)}})
	case Absent:
		return appendObject(to, Map{{"$absent", true}})
	case Missing:
		return appendObject(to, Map{{"$unreadable", v.Why}})
	case Object:
		return appendObject(to, Map{{"$type", v.Type}, {"$value", v.Value}})
	case Tagged:
		return appendObject(to, Map{{"$tag", v.Number}, {"$value", v.Value}})
	case []any:
		return appendList(to, v)
	case Map:
		if v.plain() {
			return appendObject(to, v)
		}
		pairs := make([]any, len(v))
		for i, e := range v {
			pairs[i] = []any{e.Key, e.Value}
		}
		return appendObject(to, Map{{"$map", pairs}})
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

func appendObject(to []byte, m Map) (_ []byte, err error) {
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
	return !slices.ContainsFunc(m, func(e Entry) bool {
		key, isText := e.Key.(string)
		return !isText || strings.HasPrefix(key, "$")
	})
}
