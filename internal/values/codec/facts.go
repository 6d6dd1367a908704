package codec

import "reflect"

// facts sets the facts about each plan that follow from the whole graph.
func (b *planner) facts() {
	holds := map[*plan]map[*plan]bool{}
	for _, p := range b.plans {
		holds[p] = map[*plan]bool{}
		below(p, holds[p])
	}
	for _, p := range b.plans {
		for q := range holds[p] {
			b.inherit(p, q)
			p.endless = p.endless || holds[q][q]
		}
		b.inherit(p, p)
		p.fixed = fixed(p)
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

// inherit passes facts about q on to p, which holds a q.
func (b *planner) inherit(p, q *plan) {
	p.raw = p.raw || q.form == formCBOR
	p.visits = p.visits || q.watched
	p.refers = p.refers || refers(q)
	p.foreign = p.foreign || q.shape == opaque && !q.watched
	p.verify = p.verify || q.shape == opaque && b.side == Output && !q.watched ||
		q.key != nil && q.key.shape == opaque
}

// fixed is the least size of the encoding of any value of a type, if that does
// not depend on the value; else 0.
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
