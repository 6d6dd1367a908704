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
	p.floats = p.floats || q.shape == leaf && isFloat(q.typ)
	p.raw = p.raw || q.form == formCBOR
	p.visits = p.visits || q.watched
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
	case pointer: // these may be encoded as null
		return p.elem.typ != timeType && p.elem.form != formCBOR
	case structure:
		return !p.exposed && !slices.ContainsFunc(p.fields, func(f field) bool {
			return f.omitZero && (hasIsZero(f.plan.typ) || subtleZero(b.side, f.plan))
		})
	}
	return true
}

// hasIsZero reports whether the library would ask the type itself, which may
// call zero what is not, whether to leave a field out.
func hasIsZero(t reflect.Type) bool {
	return t != timeType && (t.Implements(isZeroType) || reflect.PointerTo(t).Implements(isZeroType))
}

// subtleZero reports whether reflect's zero is not the zero of the encoding. In
// inputs empty things and zero times are zero too, and fields that stay in the
// process do not count; in outputs -0 is not zero.
func subtleZero(side Side, p *plan) bool {
	switch p.shape {
	case slice, mapping:
		return side == Input
	case array:
		return subtleZero(side, p.elem)
	case structure:
		return len(p.kept) > 0 || slices.ContainsFunc(p.fields, func(f field) bool {
			return side == Input && f.plan.typ == timeType || subtleZero(side, f.plan)
		})
	case leaf:
		if side == Input {
			return p.typ.Kind() == reflect.Slice
		}
		return isFloat(p.typ)
	}
	return false
}

func isFloat(t reflect.Type) bool {
	return t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64
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
