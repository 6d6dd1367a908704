package codec

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
)

// extent is what can be said of an encoding before it is made.
type extent struct {
	size   int64 // the least, in bytes
	opaque int64 // values in it that marshal themselves, whose size is not known
}

func (x extent) plus(y extent) extent { return extent{x.size + y.size, x.opaque + y.opaque} }

// meter finds the extent of an encoding. What pointers, slices and maps share is
// encoded wherever it stands, but looked at here only once: so a value whose
// encoding would be exponentially larger than itself is found out soon.
type meter struct {
	pace   pace
	codec  *Codec
	trail  trail
	known  map[place]extent
	shared bool // something was met again
}

// measure fails where a value is too large to be encoded.
func (c *Codec) measure(ctx context.Context, v reflect.Value) (extent, error) {
	m := meter{pace: pace{ended: ctx.Err}, codec: c}
	x, err := m.extent(c.root, v)
	if err == nil {
		err = m.check(x)
	}
	return x, err
}

func (m *meter) check(x extent) error {
	if x.size <= int64(m.codec.maxSize) {
		return nil
	}
	err := m.codec.tooLarge(x.size)
	if m.shared {
		err = fmt.Errorf("%w; the same pointers, slices or maps stand in many places of it, and each place takes a copy: keep what is shared once, in a slice, and refer to it by index", err)
	}
	return err
}

func (m *meter) extent(p *plan, v reflect.Value) (x extent, err error) {
	if err := m.pace.step(); err != nil {
		return x, err
	}
	if x.size = least(p, v); x.size > 0 {
		return x, nil
	}
	where := placeOf(p, v)
	if x, met := m.known[where]; met && where.at != nil {
		m.shared = true
		return x, nil
	}
	on, err := m.trail.enter(p, v)
	if err != nil {
		return extent{}, nil // too deep, or within itself: the walk will say so
	}
	begin := m.pace.steps
	x, err = m.content(p, v)
	m.trail.leave(p, on)
	if where.at != nil && m.pace.steps-begin >= longWalk {
		if m.known == nil {
			m.known = map[place]extent{}
		}
		m.known[where] = x
	}
	return x, err
}

// What takes fewer steps is not noted: it is soon walked again.
const longWalk = 32

// least is the least size of an encoding where that takes no walk; else 0.
func least(p *plan, v reflect.Value) int64 {
	switch {
	case p.fixed > 0:
		return int64(p.fixed)
	case p.shape == leaf: // a string or bytes
		return 1 + int64(v.Len())
	case (p.shape == pointer || p.shape == slice || p.shape == mapping || p.shape == iface) && v.IsNil():
		return 1
	case p.shape == pointer:
		return int64(p.elem.fixed)
	case (p.shape == slice || p.shape == array) && p.elem.fixed > 0:
		return 1 + int64(v.Len())*int64(p.elem.fixed)
	case p.shape == mapping && p.elem.fixed > 0:
		return 1 + int64(v.Len())*int64(max(p.key.fixed, 1)+p.elem.fixed)
	}
	return 0
}

func (m *meter) content(p *plan, v reflect.Value) (x extent, err error) {
	x.size = 1
	add := func(p *plan, v reflect.Value) bool {
		var of extent
		if of, err = m.extent(p, v); err == nil {
			x = x.plus(of)
			err = m.check(x)
		}
		return err == nil
	}
	switch p.shape {
	case opaque:
		x.opaque = 1
	case pointer:
		return m.extent(p.elem, v.Elem())
	case slice, array:
		for i := range v.Len() {
			if !add(p.elem, v.Index(i)) {
				return x, at(err, "["+strconv.Itoa(i)+"]")
			}
		}
	case mapping:
		elem := reflect.New(p.elem.typ).Elem()
		for entry := v.MapRange(); entry.Next(); {
			x.size += int64(max(p.key.fixed, 1))
			if elem.SetIterValue(entry); !add(p.elem, elem) {
				return x, at(err, keyStep(entry.Key()))
			}
		}
	case structure:
		for _, f := range p.fields {
			fv, ok := fieldOf(v, f.index)
			if !ok || f.omitted(m.codec.side, fv) {
				continue
			}
			if x.size += int64(len(f.head)); !add(f.plan, fv) {
				return x, at(err, "."+f.goName)
			}
		}
	case iface:
		if held, of, ok := p.held(v); ok {
			x.size += int64(len(of.name))
			if !add(of.plan, held) {
				return x, at(err, "("+of.name+")")
			}
		}
	}
	return x, nil
}

// pace asks now and then whether a walk is to end.
type pace struct {
	ended func() error
	steps int
}

func (p *pace) step() error {
	const often = 16
	if p.steps++; p.steps%often != 0 {
		return nil
	}
	return p.ended()
}
