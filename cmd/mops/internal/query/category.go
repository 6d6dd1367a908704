package query

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/expr-lang/expr/checker/nature"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// category is what sort of value something is, in the words of error messages.
type category string

const (
	unknown    category = "something"
	aNil       category = "nil"
	aNumber    category = "a number"
	aText      category = "a string"
	aTruth     category = "true or false"
	aMoment    category = "a time"
	aDuration  category = "a duration"
	rawBytes   category = "bytes"
	aSequence  category = "a list"
	aStructure category = "a struct or map"
)

func categoryOf(n *nature.Nature) category {
	switch {
	case n.Nil:
		return aNil
	case n.IsDuration():
		return aDuration
	case n.IsNumber():
		return aNumber
	case n.IsString():
		return aText
	case n.IsBool():
		return aTruth
	case n.IsTime():
		return aMoment
	case n.IsByteSlice():
		return rawBytes
	case n.IsArray():
		return aSequence
	case n.IsMap():
		return aStructure
	}
	return unknown
}

// compares reports whether two categories can be compared. Records have durations as
// numbers of nanoseconds, so these may be compared with durations.
func compares(a, b category, equality bool) bool {
	has := func(s category) bool { return a == s || b == s }
	switch {
	case has(aNil):
		return equality
	case !equality && (has(aTruth) || has(aSequence) || has(aStructure)):
		return false
	case has(unknown), a == b:
		return true
	}
	return has(aNumber) && has(aDuration)
}

// hint says how two categories can be compared all the same, if they can.
func hint(a, b category) string {
	for _, s := range [][2]category{{a, b}, {b, a}} {
		switch s {
		case [2]category{aMoment, aText}:
			return `: write a time as date("2026-01-31") or date("2026-01-31T12:00:00Z")`
		case [2]category{aDuration, aText}:
			return `: write a duration as duration("1h30m") or duration("2d")`
		case [2]category{rawBytes, aText}:
			return `: hex(…) makes a string of bytes`
		case [2]category{aSequence, aText}:
			return `: "x" in LIST asks whether something is in it, len(LIST) for its length`
		}
	}
	return ""
}

// duration reads one as Go writes it, such as 1h30m, or with days and weeks.
func duration(words string) (time.Duration, error) {
	if d, err := time.ParseDuration(words); err == nil {
		return d, nil
	}
	var age text.Age
	if err := age.Set(words); err != nil {
		return 0, fmt.Errorf("%q is no duration: %w", words, err)
	}
	return time.Duration(age), nil
}

func bigint(digits string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(strings.TrimSpace(digits), 0)
	if !ok {
		return nil, fmt.Errorf("%q is no integer", digits)
	}
	return n, nil
}

func hexed(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case []byte:
		return hex.EncodeToString(v), nil
	case string:
		return hex.EncodeToString([]byte(v)), nil
	}
	return "", fmt.Errorf("hex takes bytes, not %T", v)
}
