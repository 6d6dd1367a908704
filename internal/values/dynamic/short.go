package dynamic

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// Short writes a value in one line of about most bytes, for a difference or an
// error message. What is left out shows as "…".
func Short(value any, most int) string {
	s := shortener{left: most}
	s.value(value, 0)
	return s.text.String()
}

type shortener struct {
	text strings.Builder
	left int
}

func (s *shortener) write(text string) {
	s.text.WriteString(text)
	s.left -= len(text)
}

func (s *shortener) value(value any, depth int) {
	const deepest = 6
	if depth > deepest {
		s.write("…")
		return
	}
	switch v := value.(type) {
	case Map:
		s.several("{}", len(v), func(i int) {
			s.write(Key(v[i].Key) + ": ")
			s.value(v[i].Value, depth+1)
		})
	case []any:
		s.several("[]", len(v), func(i int) { s.value(v[i], depth+1) })
	case Object:
		s.write("<" + text.Clean(v.Type) + "> ")
		s.value(v.Value, depth+1)
	case Tagged:
		s.write(fmt.Sprintf("tag %d ", v.Number))
		s.value(v.Value, depth+1)
	default:
		s.write(scalar(value, max(s.left, 20)))
	}
}

// several writes n values between brackets, or as many as there is room for.
func (s *shortener) several(brackets string, n int, one func(i int)) {
	s.write(brackets[:1])
	for i := range n {
		if i > 0 {
			s.write(", ")
		}
		if s.left <= 0 {
			s.write(fmt.Sprintf("… %d more", n-i))
			break
		}
		one(i)
	}
	s.write(brackets[1:])
}

// Key is the key of a map as it stands before a colon.
func Key(key any) string {
	if name, ok := key.(string); ok && identifier(name) {
		return name
	}
	return Short(key, 200)
}

// scalar writes what holds no other values.
func scalar(value any, most int) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case Duration:
		return time.Duration(v).String()
	case uint64:
		return strconv.FormatUint(v, 10)
	case *big.Int:
		return abridged(v.String(), most, "digits")
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return quoted(v, most)
	case []byte:
		return hexed(v, most)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case Source:
		return sourceText(v)
	case Simple:
		if v == 23 {
			return "undefined"
		}
		return fmt.Sprintf("simple(%d)", v)
	case Missing:
		return "(unreadable: " + text.Clean(v.Why) + ")"
	case Absent:
		return "(absent)"
	}
	return text.Clean(fmt.Sprint(value))
}

// quoted is text between quotes, with what terminals act upon escaped.
func quoted(s string, most int) string {
	if len(s) <= most {
		return strconv.Quote(s)
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return strconv.Quote(s[:most]) + fmt.Sprintf("… (%s bytes)", text.Number(len(s)))
}

// hexed is bytes in hexadecimal.
func hexed(b []byte, most int) string {
	if len(b) == 0 {
		return "no bytes"
	}
	show := min(len(b), max(most/2, 8))
	digits := "0x" + hex.EncodeToString(b[:show])
	if show < len(b) {
		digits += fmt.Sprintf("… (%s bytes)", text.Number(len(b)))
	}
	return digits
}

func abridged(digits string, most int, unit string) string {
	if len(digits) <= most+20 {
		return digits
	}
	return digits[:most] + fmt.Sprintf("… (%s %s)", text.Number(len(digits)), unit)
}

func sourceText(s Source) string {
	what := map[string]string{"file": "file", "dir": "folder", "value": "shared value"}[s.Kind]
	return fmt.Sprintf("%s of %s, sha256 %s", what, text.Bytes(s.Size), s.Hash)
}
