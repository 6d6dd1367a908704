package codec

import (
	"reflect"
	"slices"
)

// facts draws the conclusions from the whole graph of plans.
func (b *planner) facts() {
	holds := map[*plan]map[*plan]bool{}
	for _, p := range b.plans {
		holds[p] = map[*plan]bool{}
		below(p, holds[p])
	}
	for _, p := range b.plans {
		for q := range holds[p] {
			b.inherit(p, q)
		}
		b.inherit(p, p)
	}
	for _, p := range b.plans {
		p.direct = !holds[p][p] && b.alone(p)
	}
	for p, children := range holds {
		for q := range children {
			if holds[q][q] || !b.alone(q) {
				p.direct = false
			}
		}
	}
	for _, p := range b.plans {
		if p.direct {
			p.nesting = nesting(p)
		}
		if !holds[p][p] {
			p.fixed = fixed(p)
		}
	}
}

func below(p *plan, seen map[*plan]bool) {
	for _, child := range p.children {
		if !seen[child] {
			seen[child] = true
			below(child, seen)
		}
	}
}

// inherit takes over what is true of whatever holds a q.
func (b *planner) inherit(p, q *plan) {
	p.floats = p.floats || q.shape == leaf && isFloat(q.typ)
	p.raw = p.raw || q.form == formCBOR
	p.visits = p.visits || q.watched
	p.refers = p.refers || refers(q)
	p.foreign = p.foreign || q.shape == opaque && !q.watched
	p.verify = p.verify || q.shape == opaque && b.side == Output && !q.watched ||
		q.key != nil && q.key.shape == opaque
}

// alone reports whether the library does right with a type, if it does with its parts.
func (b *planner) alone(p *plan) bool {
	if b.side == Input && p.floats && p.raw {
		return false // the sign of zeros is corrected in the bytes, but not in those of others
	}
	switch p.shape {
	case iface:
		return false
	case opaque:
		_, lossy := remedies[p.typ]
		return !lossy
	case pointer: // these may be encoded as null
		return p.elem.typ != timeType && p.elem.form != formCBOR
	case structure:
		return !p.exposed && !slices.ContainsFunc(p.fields, func(f field) bool {
			return f.omitZero && (hasIsZero(f.plan.typ) || subtleZero(b.side, f.plan))
		})
	}
	return true
}

// nesting is the depth of arrays and maps in the encoding of a type that does
// not contain itself.
func nesting(p *plan) int {
	deepest := 0
	for _, child := range p.children {
		deepest = max(deepest, nesting(child))
	}
	switch p.shape {
	case slice, array, mapping, structure:
		deepest++
	}
	return deepest
}

// fixed is the least size of the encoding of any value of a type that does not
// contain itself, where that takes no looking at the value; else 0.
func fixed(p *plan) int {
	switch p.shape {
	case leaf:
		switch p.typ.Kind() {
		case reflect.String, reflect.Slice:
			return 0
		case reflect.Array:
			return 1 + p.typ.Len()
		}
		return 1
	case array:
		if p.typ.Len() == 0 {
			return 1
		}
		if elem := fixed(p.elem); elem > 0 {
			return 1 + p.typ.Len()*elem
		}
	case structure:
		size := 1
		for _, f := range p.fields {
			of := fixed(f.plan)
			if of == 0 || throughPointer(p.typ, f.index) {
				return 0
			}
			if !f.omitEmpty && !f.omitZero {
				size += len(f.head) + of
			}
		}
		return size
	}
	return 0
}
