package schema

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Difference is one place in which two types of the same fingerprint differ.
type Difference struct {
	Path        string // such as Out.Stats.Median
	Here, There string // the part's kind; "" if the type has no such part

	impl   bool // a type that an interface may hold
	shared bool // in a shared value
	marks  bool // only omitempty and omitzero differ
}

// Diff yields the differences of two types with the same fingerprint. root is
// the name of the whole in paths.
func Diff(here, there Graph, root string) iter.Seq[Difference] { return diff(here, there, root, false) }

// DiffWhole yields the differences of two types by their whole graphs.
func DiffWhole(here, there Graph, root string) iter.Seq[Difference] {
	return diff(here, there, root, true)
}

func diff(here, there Graph, root string, whole bool) iter.Seq[Difference] {
	return func(yield func(Difference) bool) {
		c := comparison{here: here, there: there, yield: yield, seen: map[pair]bool{}}
		at := pair{here: none, there: none, below: whole}
		if len(here) > 0 {
			at.here = 0
		}
		if len(there) > 0 {
			at.there = 0
		}
		c.walk(at, root)
	}
}

type comparison struct {
	here, there Graph
	yield       func(Difference) bool
	seen        map[pair]bool
}

// pair is two types in the same place.
type pair struct {
	here, there int
	below       bool // an omitzero field: the fingerprint does not prove them alike
	shared      bool // below a shared value
}

// none is a type that is not in its graph, because it has no omitzero field.
const none = -1

// walk compares two types and their parts; types that contain themselves are
// compared once. It returns false if the caller wants no more.
func (c *comparison) walk(at pair, path string) bool {
	if c.seen[at] {
		return true
	}
	c.seen[at] = true
	here, there := c.here.node(at.here), c.there.node(at.there)
	if at.below && here.Kind != there.Kind {
		return c.yield(Difference{Path: path, Here: here.Kind, There: there.Kind, shared: at.shared})
	}
	ours, theirs := parts(here), parts(there)
	all := maps.Clone(ours)
	maps.Copy(all, theirs)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !c.part(at, name, ours[name], theirs[name], path+step(here.Kind, name)) {
			return false
		}
	}
	return true
}

// part compares a part that at least one of two types has.
func (c *comparison) part(at pair, name string, ours, theirs part, path string) bool {
	found := Difference{Path: path, impl: strings.HasPrefix(name, Impl), shared: at.shared}
	omitted := ours.marked(OmitZero) || theirs.marked(OmitZero)
	next := pair{here: ours.number(), there: theirs.number(), below: at.below || omitted, shared: at.shared || name == Value}
	if next.below {
		found.Here, found.There = ours.kind(c.here), theirs.kind(c.there)
		if ours.node == nil || theirs.node == nil {
			return c.yield(found)
		}
		if ours.marks != theirs.marks {
			found.Here, found.There, found.marks = ours.marks+found.Here, theirs.marks+found.There, true
			if !c.yield(found) {
				return false
			}
		}
	}
	return c.walk(next, path)
}

// part is a part of a type, or none.
type part struct {
	marks string // omitempty, omitzero
	node  *int
}

func (p part) marked(mark string) bool { return strings.Contains(p.marks, mark) }

func (p part) number() int {
	if p.node == nil {
		return none
	}
	return *p.node
}

func (p part) kind(g Graph) string { return g.node(p.number()).Kind }

// parts are those of a type by their names without marks.
func parts(n Node) map[string]part {
	all := make(map[string]part, len(n.Parts))
	for name, number := range n.Parts {
		bare := unmarked(name)
		all[bare] = part{marks: name[:len(name)-len(bare)], node: &number}
	}
	return all
}

// unmarked is the name of a part without omitempty and omitzero.
func unmarked(name string) string {
	if at := strings.Index(name, Field); at > 0 && strings.HasPrefix(name, "omit") {
		return name[at:]
	}
	return name
}

// FieldName is the name of a struct's field, by that of the part.
func FieldName(part string) string { return strings.TrimPrefix(unmarked(part), Field) }

func (g Graph) node(number int) Node {
	if number == none {
		return Node{}
	}
	return g[number]
}

// step is the step to a part in a path.
func step(kind, name string) string {
	if field, ok := strings.CutPrefix(name, Field); ok {
		return "." + field
	}
	if held, ok := strings.CutPrefix(name, Impl); ok {
		return "(" + held + ")"
	}
	switch {
	case name == Key:
		return "[key]"
	case name == Elem && kind != "ptr":
		return "[]"
	}
	return ""
}
