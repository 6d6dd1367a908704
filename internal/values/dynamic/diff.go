package dynamic

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// Difference is one place in which two values differ.
type Difference struct {
	Path  string `json:"path,omitempty"` // such as In.Cities[3].Name
	Here  JSON   `json:"here"`           // Absent where there is no value
	There JSON   `json:"there"`
	Note  string `json:"note,omitempty"` // more about values that are too long to be compared by eye
}

// Absent stands for a field that one of two values does not have.
type Absent struct{}

// Diff returns the places in which two values differ, in the order of here's
// fields, at most limit of them. root is how paths begin.
func Diff(here, there any, root string, limit int) []Difference {
	d := differ{limit: limit}
	d.values(root, here, there)
	return d.found
}

type differ struct {
	limit int
	found []Difference
}

func (d *differ) add(path string, here, there any, note string) {
	if len(d.found) < d.limit {
		d.found = append(d.found, Difference{path, JSON{here}, JSON{there}, note})
	}
}

func (d *differ) values(path string, here, there any) {
	if len(d.found) >= d.limit {
		return
	}
	switch h := here.(type) {
	case Map:
		if t, ok := there.(Map); ok {
			d.maps(path, h, t)
			return
		}
	case []any:
		if t, ok := there.([]any); ok {
			d.lists(path, h, t)
			return
		}
	case Object:
		if t, ok := there.(Object); ok && t.Type == h.Type {
			d.values(path+"("+text.Clean(h.Type)+")", h.Value, t.Value)
			return
		}
	case Tagged:
		if t, ok := there.(Tagged); ok && t.Number == h.Number {
			d.values(path, h.Value, t.Value)
			return
		}
	case []byte:
		if t, ok := there.([]byte); ok {
			if !bytes.Equal(h, t) {
				d.add(path, here, there, firstDifference(h, t))
			}
			return
		}
	case string:
		if t, ok := there.(string); ok {
			if h != t {
				d.add(path, here, there, firstDifference([]byte(h), []byte(t)))
			}
			return
		}
	}
	if !same(here, there) {
		d.add(path, here, there, "")
	}
}

// same compares what is neither a container nor a string.
func same(here, there any) bool {
	here, there = number(here), number(there)
	switch h := here.(type) {
	case float64: // also tells -0 from +0, and one NaN from another
		t, ok := there.(float64)
		return ok && math.Float64bits(h) == math.Float64bits(t)
	case *big.Int:
		t, ok := there.(*big.Int)
		return ok && h.Cmp(t) == 0
	case time.Time:
		t, ok := there.(time.Time)
		return ok && h.Equal(t)
	case Map, []any, []byte, Object, Tagged:
		return false // of another kind, or values would have compared them
	}
	return here == there // also false where there is a container: its type is another
}

// number is a duration as the number that it is: a record of a release that did
// not describe whole types has it so.
func number(value any) any {
	if d, ok := value.(Duration); ok {
		return int64(d)
	}
	return value
}

func (d *differ) maps(path string, here, there Map) {
	hereAt, thereAt := steps(here), steps(there)
	left := make(map[string]any, len(there))
	for i, e := range there {
		left[thereAt[i]] = e.Value
	}
	for i, e := range here {
		other, ok := left[hereAt[i]]
		if !ok {
			d.add(path+hereAt[i], e.Value, Absent{}, "")
			continue
		}
		delete(left, hereAt[i])
		d.values(path+hereAt[i], e.Value, other)
	}
	for i, e := range there {
		if _, only := left[thereAt[i]]; only {
			d.add(path+thereAt[i], Absent{}, e.Value, "")
		}
	}
}

// steps are the keys of a map as they stand in paths. Damaged data may have a
// key twice.
func steps(m Map) []string {
	all := make([]string, len(m))
	seen := make(map[string]int, len(m))
	for i, e := range m {
		at := step(e.Key)
		if seen[at]++; seen[at] > 1 {
			at += fmt.Sprintf("(%d)", seen[at])
		}
		all[i] = at
	}
	return all
}

// lists compares element by element where the lengths are the same. Where they
// are not, one element may have been put in the middle: then it is only said
// where the difference begins.
func (d *differ) lists(path string, here, there []any) {
	if len(here) == len(there) {
		for i := range here {
			d.values(path+"["+strconv.Itoa(i)+"]", here[i], there[i])
		}
		return
	}
	first := 0
	for first < min(len(here), len(there)) && len(Diff(here[first], there[first], "", 1)) == 0 {
		first++
	}
	note := fmt.Sprintf("%d and %d elements", len(here), len(there))
	if first < min(len(here), len(there)) {
		note += fmt.Sprintf(", which differ from [%d] on", first)
	}
	d.add(path, here, there, note)
}

// step is how a key stands in a path: .Name, ["a key"], [3].
func step(key any) string {
	switch k := key.(type) {
	case string:
		if identifier(k) {
			return "." + k
		}
		return "[" + strconv.Quote(k) + "]"
	case int64, uint64:
		return fmt.Sprintf("[%d]", k)
	default:
		return "[" + Short(k, 200) + "]"
	}
}

func identifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != "" && !strings.ContainsRune(s, unicode.ReplacementChar)
}

// firstDifference says where long strings differ; "" for short ones, where
// everybody sees it.
func firstDifference(here, there []byte) string {
	const short = 40
	if max(len(here), len(there)) <= short {
		return ""
	}
	i := 0
	for i < min(len(here), len(there)) && here[i] == there[i] {
		i++
	}
	return fmt.Sprintf("%d and %d bytes, which differ from byte %d on", len(here), len(there), i)
}
