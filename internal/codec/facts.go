package codec

import (
	"reflect"
	"slices"
)

// facts draws the conclusions from the whole graph of plans.
func (b *planner) facts(root *plan) {
	reach := map[*plan]map[*plan]bool{}
	for _, p := range b.plans {
		reach[p] = map[*plan]bool{}
		below(p, reach[p])
	}
	for _, p := range b.plans {
		for q := range reach[p] {
			b.inherit(p, q)
		}
		b.inherit(p, p)
	}
	for _, p := range b.plans {
		p.direct = !reach[p][p] && b.alone(p)
	}
	for p, children := range reach {
		for q := range children {
			if reach[q][q] || !b.alone(q) {
				p.direct = false
			}
		}
	}
	for _, p := range b.plans {
		if p.direct {
			p.nesting = nesting(p)
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
	kind := q.typ.Kind()
	p.floats = p.floats || q.shape == leaf && (kind == reflect.Float32 || kind == reflect.Float64)
	p.raw = p.raw || q.form == formCBOR
	p.visits = p.visits || q.watched
	p.verify = p.verify || q.shape == opaque && b.side == Output && !q.watched ||
		q.key != nil && q.key.shape == opaque
}

// alone reports whether the library does right with a type, if it does with its parts.
func (b *planner) alone(p *plan) bool {
	switch p.shape {
	case iface:
		return false
	case pointer: // these may be encoded as null
		return p.elem.typ != timeType && p.elem.form != formCBOR
	case structure:
		return !p.exposed && !slices.ContainsFunc(p.fields, func(f field) bool {
			return f.omitZero && (hasIsZero(f.plan.typ) || b.side == Input && manyZeros(f.plan))
		})
	}
	// The sign of zeros is corrected in the bytes, but not in the bytes of others.
	return !(b.side == Input && p.floats && p.raw)
}

// hasIsZero reports whether the library would ask the type itself, which may
// call zero what is not, whether to leave a field out.
func hasIsZero(t reflect.Type) bool {
	return t != timeType && (t.Implements(isZeroType) || reflect.PointerTo(t).Implements(isZeroType))
}

// manyZeros reports whether values of a type that are one in a canonical
// encoding may differ from the zero value in memory.
func manyZeros(p *plan) bool {
	switch p.shape {
	case slice, mapping:
		return true
	case array:
		return manyZeros(p.elem)
	case structure:
		return len(p.kept) > 0 || slices.ContainsFunc(p.fields, func(f field) bool { return f.plan.typ == timeType || manyZeros(f.plan) })
	case leaf:
		kind := p.typ.Kind()
		return kind == reflect.Slice || kind == reflect.Float32 || kind == reflect.Float64
	}
	return false
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

// checkKept refuses fields that stay in the process where they could not be
// found again: below slices, maps, pointers and interfaces. It returns the
// index paths of the others.
func checkKept(p *plan, path string, index []int, plain bool, seen map[*plan]bool) (all [][]int, err error) {
	if !plain {
		if seen[p] {
			return nil, nil
		}
		seen[p] = true
		if len(p.kept) > 0 {
			f := p.typ.FieldByIndex(p.kept[0])
			return nil, refuse(f.Type, path+"."+f.Name, "a field tagged `mops:\"-\"` is handed over from the caller's value, and that needs a way through plain structs alone",
				"move it to the top of the input, or into a struct that is held there by value")
		}
	}
	for _, kept := range p.kept {
		all = append(all, slices.Concat(index, kept))
	}
	if p.shape != structure {
		plain = false
	}
	for step, child := range p.children {
		var at []int
		if plain {
			i := slices.IndexFunc(p.fields, func(f field) bool { return "."+f.goName == step && f.plan == child })
			at = slices.Concat(index, p.fields[i].index)
		}
		found, err := checkKept(child, path+step, at, plain, seen)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}
