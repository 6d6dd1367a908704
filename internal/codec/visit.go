package codec

import (
	"reflect"
	"strconv"
)

// Visit calls fn for every watched value inside v (see [Types.Watch]), in the
// order of the encoding, and ends at the first error, which it returns as a
// *[ValueError] with the path. Types that hold none are not walked. The values
// are for looking at: some are copies.
func (c *Codec) Visit(v reflect.Value, fn func(reflect.Value) error) error {
	return c.visit(v, fn, false)
}

// Rewrite is Visit for functions that change what they are given, which is
// settable. V must be settable too, and nobody else may use it meanwhile.
func (c *Codec) Rewrite(v reflect.Value, fn func(reflect.Value) error) error {
	return c.visit(v, fn, true)
}

func (c *Codec) visit(v reflect.Value, fn func(reflect.Value) error, change bool) error {
	if !c.root.visits {
		return nil
	}
	w := visitor{codec: c, fn: fn, change: change}
	if err := w.value(c.root, v); err != nil {
		return valueError(c.path, err)
	}
	return nil
}

// Visits reports whether the type may hold watched values.
func (c *Codec) Visits() bool { return c.root.visits }

type visitor struct {
	codec  *Codec
	fn     func(reflect.Value) error
	change bool // put back what is visited in maps and interfaces
	trail  trail
}

func (w *visitor) value(p *plan, v reflect.Value) error {
	if p.watched {
		return w.fn(v)
	}
	if !p.visits {
		return nil
	}
	leave, err := w.trail.enter(p, v)
	if err != nil {
		return err
	}
	defer leave()
	switch p.shape {
	case pointer:
		if v.IsNil() {
			return nil
		}
		return w.value(p.elem, v.Elem())
	case slice, array:
		for i := range v.Len() {
			if err := w.value(p.elem, v.Index(i)); err != nil {
				return at(err, "["+strconv.Itoa(i)+"]")
			}
		}
	case mapping:
		return w.mapping(p, v)
	case structure:
		for _, f := range p.fields {
			if fv, ok := fieldOf(v, f.index); ok {
				if err := w.value(f.plan, fv); err != nil {
					return at(err, "."+f.goName)
				}
			}
		}
	case iface:
		return w.iface(p, v)
	}
	return nil
}

func (w *visitor) mapping(p *plan, v reflect.Value) error {
	if !p.elem.visits {
		return nil
	}
	entries, err := w.codec.sortedEntries(p, v)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		elem := addressable(v.MapIndex(entry.key))
		if err := w.value(p.elem, elem); err != nil {
			return at(err, keyStep(entry.key))
		}
		if w.change {
			v.SetMapIndex(entry.key, elem)
		}
	}
	return nil
}

func (w *visitor) iface(p *plan, v reflect.Value) error {
	if v.IsNil() {
		return nil
	}
	for _, i := range p.impls {
		if i.plan.typ != v.Elem().Type() {
			continue
		}
		held := addressable(v.Elem())
		if err := w.value(i.plan, held); err != nil {
			return at(err, "("+i.name+")")
		}
		if w.change {
			v.Set(held)
		}
	}
	return nil
}

func addressable(v reflect.Value) reflect.Value {
	held := reflect.New(v.Type()).Elem()
	held.Set(v)
	return held
}
