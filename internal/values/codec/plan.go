package codec

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

type shape uint8

const (
	leaf      shape = iota // numbers, strings, bytes, times
	opaque                 // it marshals itself
	pointer                // null or elem
	slice                  // elem
	array                  // elem
	mapping                // key, elem
	structure              // fields
	iface                  // null or one of impls
)

// plan is what is known about one type of the graph that a codec covers.
type plan struct {
	typ    reflect.Type
	shape  shape
	form   form   // opaque
	shared *Codec // opaque: of the value that it stands for; nil if it stands for none
	label  string // its part in the fingerprint
	key    *plan
	elem   *plan
	fields []field        // structure: in the order of the encoding
	byName map[string]int // structure: wire name to index in fields
	kept   [][]int        // structure: index paths of its own fields that stay in the process
	impls  []impl         // iface: by name

	watched bool // Visit looks for it

	// Conclusions from the whole graph, set by facts.
	endless bool // it contains itself, or something that does
	raw     bool // it holds CBOR that a type's own method writes
	visits  bool // it holds something watched
	verify  bool // only decoding proves that it can be decoded
	refers  bool // a copy by assignment may change with the original
	foreign bool // it holds a type with methods of the user's
	fixed   int  // the least size of its encoding, if that does not depend on the value
}

type field struct {
	name      string // on the wire
	goName    string
	head      []byte // the encoded name
	index     []int
	plan      *plan
	omitEmpty bool
	omitZero  bool
}

type impl struct {
	name string
	plan *plan
}

// part is a type that is a part of another.
type part struct {
	name  string // among the parts, in a schema
	step  string // to it, in the path of a type
	plan  *plan
	omits bool // an omitzero field
	apart bool // a shared value: the label of the type that stands for it describes it
}

// parts yields the parts of a type, in a fixed order.
func (p *plan) parts(yield func(part) bool) {
	if p.key != nil && !yield(part{name: schema.Key, step: "[key]", plan: p.key}) {
		return
	}
	if p.elem != nil {
		elem := part{name: schema.Elem, step: "[]", plan: p.elem}
		if p.shape == pointer {
			elem.step = ""
		}
		if !yield(elem) {
			return
		}
	}
	if p.shared != nil && !yield(part{name: schema.Value, plan: p.shared.root, apart: true}) {
		return
	}
	for _, f := range p.fields {
		name := schema.Field + f.name
		if f.omitEmpty {
			name = schema.OmitEmpty + name
		}
		if f.omitZero {
			name = schema.OmitZero + name
		}
		if !yield(part{name: name, step: "." + f.goName, plan: f.plan, omits: f.omitZero}) {
			return
		}
	}
	for _, i := range p.impls {
		if !yield(part{name: schema.Impl + i.name, step: "(" + i.name + ")", plan: i.plan}) {
			return
		}
	}
}

// children yields the parts that are encoded along with their holder.
func (p *plan) children(yield func(step string, child *plan) bool) {
	for part := range p.parts {
		if !part.apart && !yield(part.step, part.plan) {
			return
		}
	}
}

// planner builds the graph of plans for one type.
type planner struct {
	side  Side
	types *Types
	plans map[reflect.Type]*plan
	apart bool // it plans a value that is encoded apart
}

func refuse(t reflect.Type, path, reason, mend string) error {
	return &TypeError{Type: t, Path: path, Reason: reason, Mend: mend}
}

func (b *planner) plan(t reflect.Type, path string) (*plan, error) {
	if p, ok := b.plans[t]; ok {
		return p, nil
	}
	elem := b.types.elem(t)
	p := &plan{typ: t, watched: elem != nil || b.types.watched(t)}
	b.plans[t] = p // before its parts, which may contain it
	switch {
	case b.apart && p.watched:
		return nil, refuse(t, path, "a shared value can hold neither files nor other shared values", "put it beside the shared value")
	case elem != nil:
		return p, b.share(p, elem, path)
	}
	return p, b.fill(p, path)
}

func (b *planner) fill(p *plan, path string) (err error) {
	t := p.typ
	switch t {
	case timeType:
		p.label = "time"
		return nil
	case bigIntType:
		p.label = "bigint"
		return nil
	case bigFloatType:
		return refuse(t, path, "its text forgets its precision", "use float64, big.Rat, or a type of your own that marshals itself")
	}
	for _, raw := range rawTypes {
		if t == raw {
			return refuse(t, path, "it says nothing about what it holds", "use cbor.RawMessage, or a concrete type")
		}
	}
	f, reason, mend := selfForm(t)
	if reason != "" {
		return refuse(t, path, reason, mend)
	}
	if f != formNone {
		if from := f.marshaling().lender(t); from != t && (b.types.watched(from) || b.types.elem(from) != nil) {
			return refuse(t, path, fmt.Sprintf("it embeds a %v, which would not be found in it", from), "give the embedded field a name")
		}
		p.shape, p.form, p.label = opaque, f, "opaque "+string(f)+" "+fullName(t)
		return nil
	}
	p.label = t.Kind().String()
	switch t.Kind() {
	case reflect.Bool, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return nil
	case reflect.Pointer:
		p.shape = pointer
		if err := b.checkPointer(t, path); err != nil {
			return err
		}
		p.elem, err = b.plan(t.Elem(), path)
		return err
	case reflect.Slice:
		if isBytes(t) {
			p.label = "bytes"
			return nil
		}
		p.shape = slice
		p.elem, err = b.plan(t.Elem(), path+"[]")
		return err
	case reflect.Array:
		p.label += " " + strconv.Itoa(t.Len())
		if isBytes(t) {
			p.label = "bytes " + strconv.Itoa(t.Len())
			return nil
		}
		p.shape = array
		p.elem, err = b.plan(t.Elem(), path+"[]")
		return err
	case reflect.Map:
		p.shape = mapping
		if p.key, err = b.plan(t.Key(), path+"[key]"); err != nil {
			return err
		}
		if err := checkKey(p.key, path+"[key]", map[*plan]bool{}); err != nil {
			return err
		}
		p.elem, err = b.plan(t.Elem(), path+"[]")
		return err
	case reflect.Struct:
		p.shape = structure
		return b.structure(p, path)
	case reflect.Interface:
		p.shape = iface
		return b.iface(p, path)
	case reflect.Complex64, reflect.Complex128:
		return refuse(t, path, "CBOR has no complex numbers", "use two floats")
	case reflect.Chan, reflect.Func:
		return refuse(t, path, "a "+t.Kind().String()+" has no value that could be stored", b.keepMend())
	default: // uintptr, unsafe pointer
		return refuse(t, path, "an address means nothing in another process", b.keepMend())
	}
}

// share plans a type that stands for a value of type elem. The value has one
// encoding, wherever it goes, so it is always encoded as inputs are.
func (b *planner) share(p *plan, elem reflect.Type, path string) (err error) {
	p.shape, p.form = opaque, formCBOR
	apart := &planner{side: Input, types: b.types, plans: map[reflect.Type]*plan{}, apart: true}
	if p.shared, err = apart.codec(elem, path, ""); err == nil {
		p.label = "shared " + p.shared.fingerprint
	}
	return err
}

// keepMend is the way out for fields that cannot be stored.
func (b *planner) keepMend() string {
	switch {
	case b.apart:
		return "take it out of the shared value"
	case b.side == Output:
		return "take it out of the result"
	}
	return "take it out, or tag the field `mops:\"-\"` to hand it over in this process only"
}

func (b *planner) checkPointer(t reflect.Type, path string) error {
	switch elem := t.Elem(); {
	case elem.Kind() == reflect.Pointer:
		return refuse(t, path, "a pointer to a nil pointer would come back as a nil pointer", "use one pointer, or a struct between the two")
	case elem.Kind() == reflect.Interface:
		return refuse(t, path, "a pointer to a nil interface would come back as a nil pointer", "use the interface itself")
	case b.side == Output && (elem.Kind() == reflect.Slice || elem.Kind() == reflect.Map):
		if f, _, _ := selfForm(elem); f == formNone {
			return refuse(t, path, "a pointer to a nil "+elem.Kind().String()+" would come back as a nil pointer",
				"use the "+elem.Kind().String()+" itself: nil and empty are kept apart")
		}
	}
	return nil
}

func (b *planner) iface(p *plan, path string) error {
	t := p.typ
	if t.NumMethod() == 0 {
		return refuse(t, path, "it may hold anything", "use a concrete type, json.RawMessage, or an interface with a method whose types are registered with mops.RegisterType")
	}
	for _, r := range b.types.implementing(t) {
		held, err := b.plan(r.typ, path+"("+r.name+")")
		if err != nil {
			return err
		}
		p.impls = append(p.impls, impl{r.name, held})
	}
	if len(p.impls) == 0 {
		return &TypeError{Type: t, Path: path, Reason: "no registered type implements this interface", Mend: "register those that it may hold with mops.RegisterType", unregistered: true}
	}
	return nil
}

// checkKey refuses map keys that may be equal in one place and different in
// another, or that cannot be compared at all.
func checkKey(p *plan, path string, seen map[*plan]bool) error {
	if seen[p] {
		return nil
	}
	seen[p] = true
	switch {
	case p.watched:
		return refuse(p.typ, path, "it refers to something outside of the map", "use a slice of pairs")
	case p.shape == opaque:
		return nil
	case p.typ == timeType:
		return refuse(p.typ, path, "one instant can be several map keys, which would become one", "use UnixNano, or a string")
	case isFloat(p.typ):
		return refuse(p.typ, path, "a NaN is a map key that equals nothing, and -0 equals +0", "use an integer, or a string")
	case p.shape == pointer:
		return refuse(p.typ, path, "a pointer is another map key after decoding", "use what it points to")
	case p.shape == iface:
		return refuse(p.typ, path, "an interface may hold what cannot be a map key", "use a concrete type")
	}
	for step, child := range p.children {
		if err := checkKey(child, path+step, seen); err != nil {
			return err
		}
	}
	return nil
}
