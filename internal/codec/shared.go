package codec

import "reflect"

// share plans a type that stands for a value of type elem. The value is encoded
// once, wherever it goes, so it is always encoded as inputs are.
func (b *planner) share(p *plan, elem reflect.Type, path string) (err error) {
	p.shape, p.form = opaque, formCBOR
	apart := &planner{side: Input, types: b.types, plans: map[reflect.Type]*plan{}, apart: true}
	if p.shared, err = apart.codec(elem, path, ""); err == nil {
		p.label = "shared " + p.shared.fingerprint
	}
	return err
}

// Shares reports whether the codec's type holds types that stand for a value.
func (c *Codec) Shares() bool { return len(c.shared) > 0 }

// Shared is the codec of the value that a type stands for, which may be
// anywhere in the codec's own type; nil where it stands for none. The paths in
// its errors begin below that value, so that they go on those of a Visit.
func (c *Codec) Shared(typ reflect.Type) *Codec { return c.shared[typ] }
