package query

import (
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/types"

	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// shape is what is known of a type from its values: records have a fingerprint of a
// type, and describe no more of it than what that leaves out.
type shape struct {
	kinds  kind
	elem   *shape            // of a list, as far as it was looked at
	fields map[string]*field // of structs, and of maps with text keys
	seen   int               // structs or maps
	isMap  bool              // a map, and no struct: keys are no fields
	empty  bool              // a struct that may stand there without any field
}

// field is one of a struct, or a key of a map.
type field struct {
	shape
	seen     int  // in how many values
	omits    bool // it is left out where it is zero, as the schema says
	optional bool // it is a pointer, or what else is nil where it is left out
}

// kind is a set of kinds of values.
type kind uint

const (
	aBool kind = 1 << iota
	anInt
	aFloat
	aString
	aTime
	aSpan
	someBytes
	aList
	aStruct // or a map with text keys, or a source
	aMap    // with other keys
	another
)

// manyKeys is how many different keys no struct has.
const manyKeys = 1000

// learn adds what a value shows of its type, as far as expressions ask for it. It
// reports whether that is anything new.
func (s *shape) learn(v any, needs *dynamic.Part) (news bool) {
	switch v := v.(type) {
	case nil, dynamic.Missing, dynamic.Simple:
		return false
	case bool:
		return s.is(aBool)
	case int64, uint64, *big.Int:
		return s.is(anInt)
	case float64:
		return s.is(aFloat)
	case string:
		return s.is(aString)
	case time.Time:
		return s.is(aTime)
	case time.Duration:
		return s.is(aSpan)
	case []byte:
		return s.is(someBytes)
	case dynamic.Object:
		return s.learn(v.Value, needs)
	case dynamic.Tagged:
		return s.learn(v.Value, needs)
	case dynamic.Source:
		return s.learn(dynamic.Map{{Key: "Kind", Value: v.Kind}, {Key: "Hash", Value: v.Hash}, {Key: "Size", Value: v.Size}}, dynamic.Whole)
	case []any:
		news = s.is(aList)
		if s.elem == nil {
			s.elem = new(shape)
		}
		for _, element := range v {
			news = s.elem.learn(element, dynamic.Whole) || news
		}
		return news
	case dynamic.Map:
		if !textKeys(v) {
			return s.is(aMap)
		}
		return s.learnFields(v, needs)
	}
	return s.is(another)
}

func (s *shape) is(k kind) (news bool) {
	news = s.kinds&k == 0
	s.kinds |= k
	return news
}

func (s *shape) learnFields(m dynamic.Map, needs *dynamic.Part) (news bool) {
	news = s.is(aStruct)
	s.seen++
	if s.isMap {
		return news
	}
	for _, e := range m {
		name := e.Key.(string)
		f, known := s.fields[name]
		if !known {
			f, news = s.field(name), true
		}
		f.seen++
		if below := needs.Below(name); below != nil {
			news = f.learn(e.Value, below) || news
		}
	}
	if len(s.fields) > manyKeys {
		s.isMap, s.fields = true, nil
	}
	for _, f := range s.fields {
		news = news || f.seen == s.seen-1 // left out for the first time
	}
	return news
}

func (s *shape) field(name string) *field {
	if s.fields == nil {
		s.fields = map[string]*field{}
	}
	f := s.fields[name]
	if f == nil {
		f = new(field)
		s.fields[name] = f
	}
	return f
}

// leftOut reports whether values without the field were seen, or may be.
func (s *shape) leftOut(f *field) bool { return f.omits || s.empty || f.seen < s.seen }

// describe adds what the schema says: fields that are left out where they are zero,
// and the types of what is below them.
func (s *shape) describe(g schema.Graph, needs *dynamic.Part) {
	if len(g) > 0 {
		s.node(g, 0, needs, 0)
	}
}

func (s *shape) node(g schema.Graph, number int, needs *dynamic.Part, depth int) {
	const deepest = 12 // types may contain themselves
	n := g[number]
	word, _, _ := strings.Cut(n.Kind, " ")
	s.kinds |= kindsOf[word]
	if depth == deepest {
		return
	}
	for name, part := range n.Parts {
		switch at := strings.Index(name, schema.Field); {
		case name == schema.Elem && word == "ptr":
			s.node(g, part, needs, depth+1)
		case name == schema.Elem && (word == "slice" || word == "array"):
			if s.elem == nil {
				s.elem = new(shape)
			}
			s.elem.node(g, part, dynamic.Whole, depth+1)
		case at >= 0 && word == "struct":
			f := s.field(name[at+len(schema.Field):])
			f.omits = strings.HasPrefix(name, schema.OmitZero)
			f.optional = g[part].Kind == "ptr" || g[part].Kind == "interface"
			if below := needs.Below(name[at+len(schema.Field):]); below != nil {
				f.node(g, part, below, depth+1)
			}
			f.empty = f.omits && g[part].Kind == "struct"
		}
	}
	if word == "map" {
		s.isMap, s.fields = true, nil
		if key, known := n.Parts[schema.Key]; known {
			if g[key].Kind == "string" {
				s.kinds |= aStruct
			} else {
				s.kinds |= aMap
			}
		}
	}
}

// kindsOf are the kinds by the words of schemas. What is not listed is known by its
// values alone.
var kindsOf = map[string]kind{
	"bool": aBool, "string": aString, "float32": aFloat, "float64": aFloat, "time": aTime, "bytes": someBytes, "bigint": anInt,
	"int": anInt, "int8": anInt, "int16": anInt, "int32": anInt, "int64": anInt,
	"uint": anInt, "uint8": anInt, "uint16": anInt, "uint32": anInt, "uint64": anInt,
	"slice": aList, "array": aList, "struct": aStruct,
}

// zero is what a field counts as where it is left out; ok is false where that is nil.
func (s *shape) zero(f *field) (zero any, ok bool) {
	if s.isMap || f.optional {
		return nil, false
	}
	switch f.kinds {
	case aBool:
		return false, true
	case anInt:
		return 0, true
	case aFloat:
		return 0.0, true
	case aString:
		return "", true
	case aTime:
		return time.Time{}, true
	case aList:
		return []any{}, true
	case aStruct:
		return map[string]any{}, f.empty || f.isMap
	case aMap:
		return map[any]any{}, true
	}
	return nil, false
}

// shapes finds the shape of a part of an expression by what the checker knows of it.
type shapes map[*nature.TypeData]*shape

// of is the shape behind a nature; nil where it is no struct or map with text keys.
func (m shapes) of(n *nature.Nature) *shape {
	if n.TypeData == nil {
		return nil
	}
	return m[n.TypeData]
}

// natureOf describes a shape to the checker. What may be of several kinds is unknown
// to it, and looked at when an expression runs.
func (m shapes) natureOf(s *shape) nature.Nature {
	switch s.kinds {
	case aBool:
		return nature.NatureOf(false)
	case anInt:
		return nature.NatureOf(0)
	case aFloat:
		return nature.NatureOf(0.0)
	case aString:
		return nature.NatureOf("")
	case aTime:
		return nature.NatureOf(time.Time{})
	case aSpan:
		return nature.NatureOf(time.Duration(0))
	case someBytes:
		return nature.NatureOf([]byte{})
	case aList:
		n := nature.NatureOf([]any{})
		if s.elem != nil {
			elem := m.natureOf(s.elem)
			n.Ref = &elem
		}
		return n
	case aStruct:
		n := nature.NatureOf(map[string]any{})
		n.TypeData = new(nature.TypeData)
		m[n.TypeData] = s
		if !s.isMap {
			n.Strict = true
			n.Fields = make(map[string]nature.Nature, len(s.fields))
			for name, f := range s.fields {
				n.Fields[name] = m.natureOf(&f.shape)
			}
		}
		return n
	case aMap:
		return nature.NatureOf(map[any]any{})
	}
	return nature.Nature{}
}

// names are those of the fields, sorted.
func (s *shape) names() []string { return slices.Sorted(maps.Keys(s.fields)) }

// natured is a shape as a type of the library.
type natured struct {
	shapes
	*shape
}

func (t natured) Nature() nature.Nature { return t.natureOf(t.shape) }
func (t natured) Equal(types.Type) bool { return false }
func (t natured) String() string        { return "value" }
