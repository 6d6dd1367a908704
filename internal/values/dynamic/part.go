package dynamic

// Part is how much of a value somebody asks for: all of it, or some fields.
type Part struct {
	all    bool
	fields map[string]*Part
}

// Whole is all of a value.
var Whole = &Part{all: true}

// Below is how much of a field is asked for; nil if none of it is.
func (p *Part) Below(name string) *Part {
	if p == nil || p.all {
		return p
	}
	return p.fields[name]
}

// Add adds what stands at the end of a path of fields: all of the value if that is empty.
func (p *Part) Add(path []string) {
	for _, name := range path {
		if p.fields == nil {
			p.fields = map[string]*Part{}
		}
		next := p.fields[name]
		if next == nil {
			next = new(Part)
			p.fields[name] = next
		}
		p = next
	}
	p.all = true
}

// ofSource are the fields by which a source is told from other maps.
func ofSource(name string) bool { return name == "kind" || name == "sha256" || name == "size" }

// below is how much of the value of a key is decoded.
func (p *Part) below(key any) *Part {
	name, ok := key.(string)
	if !ok || ofSource(name) {
		return Whole
	}
	return p.Below(name)
}

// leftOut stands in the place of what nobody asked for.
var leftOut any = Missing{Why: "nobody asked for it"}

// skip goes to the end of a value.
func (d *decoder) skip(depth int) {
	if depth > maxDepth {
		d.fail(errDeep)
	}
	d.breathe()
	if d.err != nil {
		return
	}
	major, _, n, err := d.head()
	switch {
	case err != nil:
		d.fail(err)
	case major == 2 || major == 3:
		d.bytes(n)
	case major == 4, major == 5:
		for range n {
			d.skip(depth + 1)
			if major == 5 {
				d.skip(depth + 1)
			}
			if d.err != nil {
				return
			}
		}
	case major == 6:
		d.skip(depth + 1)
	}
}
