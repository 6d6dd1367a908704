package codec

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
)

// meter finds the least size of an encoding before it is made. A value that
// several pointers, slices or maps share is encoded at each of its places, but
// measured only once: so measuring soon finds a value whose encoding would be
// exponentially larger than itself.
type meter struct {
	pace   pace
	codec  *Codec
	trail  trail
	known  map[place]int64
	shared bool // it met something again
}

// measure is the least size of an encoding, in bytes. It fails if a value is
// too large to be encoded.
func (c *Codec) measure(ctx context.Context, v reflect.Value) (int64, error) {
	m := meter{pace: pace{ended: ctx.Err}, codec: c}
	n, err := m.size(c.root, v)
	if err == nil {
		err = m.check(n)
	}
	return n, err
}

func (m *meter) check(n int64) error {
	if n <= int64(m.codec.maxSize) {
		return nil
	}
	err := m.codec.tooLarge(n)
	if m.shared {
		err = fmt.Errorf("%w; the same pointers, slices or maps stand in many places of it, and each place takes a copy: keep what is shared once, in a slice, and refer to it by index", err)
	}
	return err
}

func (m *meter) size(p *plan, v reflect.Value) (n int64, err error) {
	if err := m.pace.step(); err != nil {
		return 0, err
	}
	if n = least(p, v); n > 0 {
		return n, nil
	}
	where := placeOf(p, v)
	if n, met := m.known[where]; met && where.at != nil {
		m.shared = true
		return n, nil
	}
	on, err := m.trail.enter(p, v)
	if err != nil {
		return 0, nil // too deep, or within itself: the encoder will say so
	}
	begin := m.pace.steps
	n, err = m.content(p, v)
	m.trail.leave(p, on)
	if where.at != nil && m.pace.steps-begin >= longWalk {
		if m.known == nil {
			m.known = map[place]int64{}
		}
		m.known[where] = n
	}
	return n, err
}

// Shorter walks are not remembered: repeating them is cheap.
const longWalk = 32

// least is the least size of an encoding, if finding it takes no walk; else 0.
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

func (m *meter) content(p *plan, v reflect.Value) (n int64, err error) {
	n = 1
	add := func(p *plan, v reflect.Value) bool {
		var of int64
		if of, err = m.size(p, v); err == nil {
			n += of
			err = m.check(n)
		}
		return err == nil
	}
	switch p.shape {
	case pointer:
		return m.size(p.elem, v.Elem())
	case slice, array:
		for i := range v.Len() {
			if !add(p.elem, v.Index(i)) {
				return n, at(err, "["+strconv.Itoa(i)+"]")
			}
		}
	case mapping:
		elem := reflect.New(p.elem.typ).Elem()
		for entry := v.MapRange(); entry.Next(); {
			n += int64(max(p.key.fixed, 1))
			if elem.SetIterValue(entry); !add(p.elem, elem) {
				return n, at(err, keyStep(entry.Key()))
			}
		}
	case structure:
		for _, f := range p.fields {
			fv, ok := fieldOf(v, f.index)
			if !ok || f.omitted(m.codec.side, fv) {
				continue
			}
			if n += int64(len(f.head)); !add(f.plan, fv) {
				return n, at(err, "."+f.goName)
			}
		}
	case iface:
		if held, of, ok := p.held(v); ok {
			n += int64(len(of.name))
			if !add(of.plan, held) {
				return n, at(err, "("+of.name+")")
			}
		}
	}
	return n, nil
}
