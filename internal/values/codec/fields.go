package codec

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
)

// structure fills in the fields of a struct, with those of embedded structs
// among them, as the library sees them. It refuses every field that the library
// would leave out silently.
func (b *planner) structure(p *plan, path string) error {
	if f, ok := p.typ.FieldByName("_"); ok && strings.Contains(f.Tag.Get("cbor"), "array") {
		return refuse(p.typ, path, "the option "+f.Tag.Get("cbor")+" drops the names of the fields", "remove it: records carry field names")
	}
	if err := b.collect(p, p.typ, nil, path, nil); err != nil {
		return err
	}
	slices.SortFunc(p.fields, func(x, y field) int { return bytes.Compare(x.head, y.head) })
	p.byName = make(map[string]int, len(p.fields))
	for i, f := range p.fields {
		if first, ok := p.byName[f.name]; ok {
			return refuse(p.typ, path+"."+f.goName, "another field ("+p.fields[first].goName+") has the same name "+f.name+", and one would hide the other",
				"rename one, or give it a name of its own with a cbor tag")
		}
		p.byName[f.name] = i
	}
	return nil
}

func (b *planner) collect(p *plan, t reflect.Type, index []int, path string, above []reflect.Type) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Name == "_" {
			continue // nobody can read it
		}
		where := path + "." + sf.Name
		idx := append(slices.Clone(index), i)
		tag := parseTag(sf.Tag)
		if sf.Tag.Get("mops") == "-" {
			if err := b.keep(p, sf, idx, where); err != nil {
				return err
			}
			continue
		}
		if tag.skip {
			return refuse(sf.Type, where, "its tag leaves the field out, so it would be lost", b.leftOutMend())
		}
		if sf.Anonymous && tag.name == "" && structUnder(sf.Type) != nil {
			if err := b.embed(p, sf, idx, where, path, append(above, t)); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() {
			return refuse(sf.Type, where, "CBOR leaves unexported fields out, so it would be lost",
				"export it, or give the struct MarshalBinary and UnmarshalBinary")
		}
		if tag.keyAsInt {
			return refuse(sf.Type, where, "keyasint drops the name of the field", "remove it: records carry field names")
		}
		f := field{name: tag.name, goName: sf.Name, index: idx, omitEmpty: tag.omitEmpty, omitZero: tag.omitZero}
		if f.name == "" {
			f.name = sf.Name
		}
		f.head = append(appendHead(nil, majorText, uint64(len(f.name))), f.name...)
		var err error
		if f.plan, err = b.plan(sf.Type, where); err != nil {
			return err
		}
		if f.omitEmpty {
			if err := b.checkOmitEmpty(f, where); err != nil {
				return err
			}
		}
		p.fields = append(p.fields, f)
	}
	return nil
}

func (b *planner) leftOutMend() string {
	if b.side == Output {
		return "give it a name with a cbor tag, or take it out of the result"
	}
	return "add the tag `mops:\"-\"` if it should not count, or give it a name with a cbor tag"
}

// keep notes a field that stays in the process.
func (b *planner) keep(p *plan, sf reflect.StructField, index []int, path string) error {
	if b.side == Output {
		return refuse(sf.Type, path, "a result cannot leave a field behind: who finds it in the store would miss it", "remove the tag `mops:\"-\"`, or the field")
	}
	if !sf.IsExported() {
		return refuse(sf.Type, path, "an unexported field cannot be handed over", "export it")
	}
	p.kept = append(p.kept, index)
	return nil
}

// embed adds the fields of an embedded struct to those of its holder.
func (b *planner) embed(p *plan, sf reflect.StructField, index []int, where, path string, above []reflect.Type) error {
	t := structUnder(sf.Type)
	if slices.Contains(above, t) {
		return refuse(sf.Type, where, "the struct embeds itself", "give the field a name")
	}
	f, reason, mend := selfForm(t)
	switch {
	case t == timeType || t == bigIntType || f != formNone:
		return refuse(sf.Type, where, "an embedded field that marshals itself is taken apart, and would be lost", "give the field a name")
	case reason != "":
		return refuse(sf.Type, where, reason, mend)
	}
	before := len(p.fields)
	if err := b.collect(p, t, index, path, above); err != nil {
		return err
	}
	if sf.Type.Kind() != reflect.Pointer {
		return nil
	}
	if !sf.IsExported() {
		return refuse(sf.Type, where, "an embedded pointer to an unexported struct cannot be set when decoding", "embed the struct itself, or give the field a name")
	}
	always := slices.ContainsFunc(p.fields[before:], func(f field) bool {
		return !f.omitEmpty && !f.omitZero && !throughPointer(t, f.index[len(index):])
	})
	if !always {
		return refuse(sf.Type, where, "all fields of the embedded pointer may be left out, and then it would come back as nil", "give the field a name")
	}
	for _, kept := range p.kept {
		if len(kept) > len(index) && slices.Equal(kept[:len(index)], index) {
			return refuse(sf.Type, where, "a field tagged `mops:\"-\"` cannot be handed over through a pointer", "embed the struct itself")
		}
	}
	return nil
}

// structUnder is the struct that a type is or points to, or nil.
func structUnder(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// checkOmitEmpty refuses omitempty if the value that it leaves out would not
// come back.
func (b *planner) checkOmitEmpty(f field, path string) error {
	t := f.plan.typ
	reason := ""
	switch kind := t.Kind(); {
	case f.plan.shape == opaque:
		reason = "omitempty asks how a type is encoded that marshals itself"
	case b.side == Input:
	case kind == reflect.Slice || kind == reflect.Map:
		reason = "omitempty loses the difference between nil and empty"
	case isFloat(t):
		reason = "omitempty loses the difference between -0 and +0"
	}
	if reason == "" {
		return nil
	}
	return refuse(t, path, reason, "use omitzero")
}

type tag struct {
	name                          string
	skip                          bool
	omitEmpty, omitZero, keyAsInt bool
}

// parseTag reads the cbor tag, or the json tag if there is none.
func parseTag(st reflect.StructTag) (t tag) {
	s := st.Get("cbor")
	if s == "" {
		s = st.Get("json")
	}
	if s == "-" {
		return tag{skip: true}
	}
	name, options, _ := strings.Cut(s, ",")
	t.name = name
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			t.omitEmpty = true
		case "omitzero":
			t.omitZero = true
		case "keyasint":
			t.keyAsInt = true
		}
	}
	return t
}
