package query

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// value is what expressions see of a stored value, as far as they need it: integers
// are int, or *big.Int where they do not fit; structs, maps with text keys and
// sources are map[string]any; what stood in an interface is seen without its type.
func value(v any, needs *dynamic.Part) any {
	switch v := v.(type) {
	case int64:
		return integer(v)
	case uint64:
		return new(big.Int).SetUint64(v)
	case []byte:
		return bytes.Clone(v) // it is a part of the record, which is not to be kept for it
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = value(element, dynamic.Whole)
		}
		return list
	case dynamic.Map:
		return mapping(v, needs)
	case dynamic.Source:
		return map[string]any{"Kind": v.Kind, "Hash": v.Hash, "Size": integer(v.Size)}
	case dynamic.Object:
		return value(v.Value, needs)
	case dynamic.Tagged:
		return value(v.Value, needs)
	case dynamic.Simple, dynamic.Missing:
		return nil
	}
	return v // nil, bool, *big.Int, float64, string, time.Time
}

// integer is an int where it fits: there are machines on which it may not.
func integer(n int64) any {
	if int64(int(n)) == n {
		return int(n)
	}
	return big.NewInt(n)
}

func mapping(m dynamic.Map, needs *dynamic.Part) any {
	if textKeys(m) {
		fields := make(map[string]any)
		for _, e := range m {
			if below := needs.Below(e.Key.(string)); below != nil {
				fields[e.Key.(string)] = value(e.Value, below)
			}
		}
		return fields
	}
	all := make(map[any]any, len(m))
	for _, e := range m {
		key := value(e.Key, dynamic.Whole)
		if key, ok := key.([]byte); ok {
			all[hex.EncodeToString(key)] = value(e.Value, dynamic.Whole)
			continue
		}
		if key != nil && !reflect.TypeOf(key).Comparable() { // a struct, say
			key = dynamic.Short(e.Key, 1000)
		}
		all[key] = value(e.Value, dynamic.Whole)
	}
	return all
}

func textKeys(m dynamic.Map) bool {
	for _, e := range m {
		if _, ok := e.Key.(string); !ok {
			return false
		}
	}
	return true
}

// number is a number of any type: an integer, or a float.
type number struct {
	integer *big.Int
	small   int64 // where integer is nil and isFloat is not set
	float   float64
	isFloat bool
}

func numberOf(v any) (n number, ok bool) {
	switch v := v.(type) {
	case int:
		return number{small: int64(v)}, true
	case *big.Int:
		return number{integer: v}, true
	case float64:
		return number{float: v, isFloat: true}, true
	case time.Duration:
		return number{small: int64(v)}, true
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return number{small: r.Int()}, true
	case r.CanUint():
		return number{integer: new(big.Int).SetUint64(r.Uint())}, true
	case r.CanFloat():
		return number{float: r.Float(), isFloat: true}, true
	}
	return number{}, false
}

// compared is the order of two numbers, exactly: ok is false if one is NaN.
func (n number) compared(m number) (order int, ok bool) {
	const exact = 1 << 53 // integers below it are floats, too
	switch {
	case n.isFloat && math.IsNaN(n.float), m.isFloat && math.IsNaN(m.float):
		return 0, false
	case n.isFloat && m.isFloat:
		return cmp.Compare(n.float, m.float), true
	case n.isFloat:
		order, ok = m.compared(n)
		return -order, ok
	case m.isFloat && (math.IsInf(m.float, 0) || n.integer == nil && -exact < n.small && n.small < exact):
		f, _ := new(big.Float).SetInt(n.whole()).Float64()
		return cmp.Compare(f, m.float), true
	case m.isFloat:
		return new(big.Float).SetInt(n.whole()).Cmp(big.NewFloat(m.float)), true
	case n.integer == nil && m.integer == nil:
		return cmp.Compare(n.small, m.small), true
	}
	return n.whole().Cmp(m.whole()), true
}

func (n number) whole() *big.Int {
	if n.integer != nil {
		return n.integer
	}
	return big.NewInt(n.small)
}

// order compares what has an order: numbers, durations with them or among each other,
// texts, times, bytes. ok is false for all else, nil among it.
func order(a, b any) (_ int, ok bool) {
	switch x := a.(type) {
	case nil:
		return 0, false
	case string:
		y, ok := b.(string)
		return cmp.Compare(x, y), ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	case []byte:
		y, ok := b.([]byte)
		return bytes.Compare(x, y), ok
	}
	x, isNumber := numberOf(a)
	y, too := numberOf(b)
	if !isNumber || !too {
		return 0, false
	}
	return x.compared(y)
}

// equal compares any two values. Nil and empty are alike, as they are in inputs.
func equal(a, b any) bool {
	if a == nil || b == nil {
		return empty(a) && empty(b)
	}
	if n, ok := order(a, b); ok {
		return n == 0
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case isList(x) && isList(y):
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !equal(x.Index(i).Interface(), y.Index(i).Interface()) {
				return false
			}
		}
		return true
	case x.Kind() == reflect.Map && y.Kind() == reflect.Map:
		if x.Len() != y.Len() {
			return false
		}
		for _, key := range x.MapKeys() {
			other := y.MapIndex(bare(key))
			if !other.IsValid() || !equal(x.MapIndex(key).Interface(), other.Interface()) {
				return false
			}
		}
		return true
	case x.Type() != y.Type() || !x.Comparable():
		return false
	}
	return a == b && a == a // no NaN
}

// bare is a key without the interface that it may stand in: the maps of expressions
// have keys of several types.
func bare(key reflect.Value) reflect.Value {
	if key.Kind() == reflect.Interface {
		return key.Elem()
	}
	return key
}

func isList(v reflect.Value) bool { return v.Kind() == reflect.Slice || v.Kind() == reflect.Array }

// empty reports whether a value is nil, or a list, map or bytes without elements.
func empty(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Map:
		return r.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return r.IsNil()
	}
	return false
}

// unset is empty, or the zero of its type: a field that may be left out, and is nil
// or zero then.
func unset(v any) bool { return empty(v) || reflect.ValueOf(v).IsZero() }

// lengthOf is the length of a text in characters, and of what else has one. That of
// nil is 0.
func lengthOf(v any) (int, error) {
	if text, ok := v.(string); ok {
		return utf8.RuneCountInString(text), nil
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return 0, nil
	case reflect.Slice, reflect.Array, reflect.Map:
		return r.Len(), nil
	}
	return 0, fmt.Errorf("len does not go with %T", v)
}
