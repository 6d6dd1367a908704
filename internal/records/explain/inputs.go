package explain

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// Inputs finds, of the inputs of many calls, the one that comes closest to another: in
// time that does not grow with their number, if they differ in one field. It keeps
// hashes of them. It is for one goroutine.
type Inputs struct {
	seed  maphash.Seed
	calls [][]leaf
	whole map[uint64]int  // calls by the sum of their leaves
	rest  map[uint64]int  // and by that of all leaves but one
	seen  map[uint64]bool // leaves
}

// leaf is a field, or a field of a field, that is no struct itself.
type leaf struct {
	path string
	hash uint64 // of path and value
}

// mostLeaves is how many fields of one input are told apart. Of an input with more of
// them, those at the top are; if these are more, too, none are.
const mostLeaves = 64

// Add adds the input of a call, and numbers it from 0 on.
func (x *Inputs) Add(input any) {
	if x.whole == nil {
		x.seed, x.whole, x.rest, x.seen = maphash.MakeSeed(), map[uint64]int{}, map[uint64]int{}, map[uint64]bool{}
	}
	list, n := x.leaves(input), len(x.calls)
	all := sum(list)
	x.calls = append(x.calls, list)
	x.whole[all] = n
	for _, l := range list {
		x.rest[all-l.hash] = n
		x.seen[l.hash] = true
	}
}

// Nearest is what the input of a call has in common with others.
type Nearest struct {
	Call   int      // number of the one that comes closest, or close; -1 if nobody looked
	Fields []string // in which they differ, or whose values none of them has; none if only their combination is new
}

// Nearest compares an input with those that were added.
func (x *Inputs) Nearest(input any) Nearest {
	found := Nearest{Call: -1}
	if len(x.calls) == 0 {
		return found
	}
	list := x.leaves(input)
	all := sum(list)
	try := func(index map[uint64]int, key uint64) {
		n, ok := index[key]
		if !ok {
			return
		}
		if fields := differing(list, x.calls[n]); found.Call < 0 || len(fields) < len(found.Fields) {
			found = Nearest{n, fields}
		}
	}
	try(x.whole, all)
	try(x.rest, all)
	for _, l := range list {
		try(x.whole, all-l.hash)
		try(x.rest, all-l.hash)
	}
	if found.Call >= 0 {
		return found
	}
	for _, l := range list {
		if !x.seen[l.hash] {
			found.Fields = append(found.Fields, l.path)
		}
	}
	return found
}

// Closest is the number of an input with the most values in common. It looks at all.
func (x *Inputs) Closest(input any) int {
	list, closest, most := x.leaves(input), 0, -1
	for n, other := range x.calls {
		if common := len(list) - len(differing(list, other)); common > most {
			closest, most = n, common
		}
	}
	return closest
}

// differing are the paths of leaves that only one of two lists has.
func differing(a, b []leaf) (paths []string) {
	for _, pair := range [][2][]leaf{{a, b}, {b, a}} {
		for _, l := range pair[0] {
			if !slices.Contains(pair[1], l) && !slices.Contains(paths, l.path) {
				paths = append(paths, l.path)
			}
		}
	}
	return paths
}

func sum(list []leaf) (all uint64) {
	for _, l := range list {
		all += l.hash
	}
	return all
}

func (x *Inputs) leaves(input any) []leaf {
	const deepest = 8
	for _, depth := range []int{deepest, 1, 0} {
		if list := x.grow(nil, "In", input, depth); len(list) <= mostLeaves {
			return list
		}
	}
	return nil
}

func (x *Inputs) grow(list []leaf, path string, v any, depth int) []leaf {
	m, ok := v.(dynamic.Map)
	if !ok || depth == 0 || len(m) == 0 {
		return append(list, leaf{path, x.hash(path, v)})
	}
	for _, e := range m {
		name, ok := e.Key.(string)
		if !ok {
			name = dynamic.Short(e.Key, 60)
		}
		if list = x.grow(list, path+"."+name, e.Value, depth-1); len(list) > mostLeaves {
			break
		}
	}
	return list
}

func (x *Inputs) hash(path string, v any) uint64 {
	var h maphash.Hash
	h.SetSeed(x.seed)
	h.WriteString(path)
	hashValue(&h, v)
	return h.Sum64()
}

// hashValue writes a value so that no two have the same text, as far as it matters for
// saying what differs.
func hashValue(h *maphash.Hash, v any) {
	number := func(kind byte, n uint64) {
		h.WriteByte(kind)
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	switch v := v.(type) {
	case int64:
		number('i', uint64(v))
	case float64:
		number('f', math.Float64bits(v))
	case string:
		number('s', uint64(len(v)))
		h.WriteString(v)
	case []byte:
		number('b', uint64(len(v)))
		h.Write(v)
	case time.Time:
		number('t', uint64(v.UnixNano()))
	case []any:
		number('l', uint64(len(v)))
		for _, element := range v {
			hashValue(h, element)
		}
	case dynamic.Map:
		number('m', uint64(len(v)))
		for _, e := range v {
			hashValue(h, e.Key)
			hashValue(h, e.Value)
		}
	case dynamic.Object:
		hashValue(h, v.Type)
		hashValue(h, v.Value)
	case dynamic.Tagged:
		number('g', v.Number)
		hashValue(h, v.Value)
	default: // nil, bool, uint64, *big.Int, a source, a simple value
		fmt.Fprintf(h, "%T %v;", v, v)
	}
}
