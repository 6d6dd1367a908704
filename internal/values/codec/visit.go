package codec

import (
	"context"
	"reflect"
	"strconv"
)

// Visit calls fn for every watched value inside v (see [Types.Watch]), in the
// order of the encoding. It ends at the first error, which it returns as a
// *[ValueError] with the path. It does not walk types that hold no such values.
// The values are for looking at: some are copies. A value that is too large to
// be encoded is an error here, too. If ctx ends meanwhile, Visit stops with an
// error that wraps that of ctx.
func (c *Codec) Visit(ctx context.Context, v reflect.Value, fn func(reflect.Value) error) error {
	if !c.root.visits {
		return nil
	}
	if _, err := c.measure(ctx, v); err != nil {
		return valueError(c.path, err)
	}
	w := visitor{codec: c, fn: fn, pace: pace{ended: ctx.Err}}
	if err := w.value(c.root, v); err != nil {
		return valueError(c.path, err)
	}
	return nil
}

// Visits reports whether the type may hold watched values.
func (c *Codec) Visits() bool { return c.root.visits }

type visitor struct {
	codec *Codec
	fn    func(reflect.Value) error
	pace  pace
	trail trail
}

func (w *visitor) value(p *plan, v reflect.Value) error {
	if p.watched {
		return w.fn(v)
	}
	if !p.visits {
		return nil
	}
	if err := w.pace.step(); err != nil {
		return err
	}
	where, err := w.trail.enter(p, v)
	if err != nil {
		return err
	}
	defer w.trail.leave(p, where)
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
		if err := w.value(p.elem, entry.value); err != nil {
			return at(err, keyStep(entry.key))
		}
	}
	return nil
}

func (w *visitor) iface(p *plan, v reflect.Value) error {
	if v.IsNil() {
		return nil
	}
	held, i, ok := p.held(v)
	if !ok {
		return nil
	}
	return at(w.value(i.plan, addressable(held)), "("+i.name+")")
}

func addressable(v reflect.Value) reflect.Value {
	held := reflect.New(v.Type()).Elem()
	held.Set(v)
	return held
}
