package codec

import (
	"reflect"
	"slices"
)

// HandOver copies the fields tagged mops:"-" from the caller's value into the
// decoded one, which must be settable.
func (c *Codec) HandOver(from, to reflect.Value) {
	for _, index := range c.kept {
		to.FieldByIndex(index).Set(from.FieldByIndex(index))
	}
}

// HandsOver reports whether HandOver has anything to do.
func (c *Codec) HandsOver() bool { return len(c.kept) > 0 }

// Kept is the path of the first field tagged mops:"-" that is not zero in v, or
// "".
func (c *Codec) Kept(v reflect.Value) string {
	for _, index := range c.kept {
		if v.FieldByIndex(index).IsZero() {
			continue
		}
		path := c.path
		for i := range index {
			path += "." + v.Type().FieldByIndex(index[:i+1]).Name
		}
		return path
	}
	return ""
}

// checkKept refuses fields that stay in the process at places where HandOver
// could not find them: below slices, maps, pointers and interfaces. It returns
// the index paths of the others.
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
