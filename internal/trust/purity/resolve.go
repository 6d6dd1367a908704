package purity

import (
	"maps"
	"slices"
)

// answer is what Origins come down to for one declaration.
type answer struct {
	safe, unknown bool
	params        map[int]bool
	vars          map[string]bool
}

func newAnswer() *answer { return &answer{params: map[int]bool{}, vars: map[string]bool{}} }

// add adds what another answer says, and tells whether that is new.
func (a *answer) add(other *answer) (more bool) {
	before := a.size()
	a.safe, a.unknown = a.safe || other.safe, a.unknown || other.unknown
	maps.Copy(a.params, other.params)
	maps.Copy(a.vars, other.vars)
	return a.size() != before
}

func (a *answer) size() int {
	n := len(a.params) + len(a.vars)
	if a.safe {
		n++
	}
	if a.unknown {
		n++
	}
	return n
}

// question is one of the two that Origins answer.
type question struct {
	of     func(Arg) Origins
	result func(*Decl) Origins
	known  func(*declared) **answer
	values bool // what variables have at the beginning matters
}

var (
	byValue = question{
		func(a Arg) Origins { return a.Value }, func(d *Decl) Origins { return d.Result },
		func(d *declared) **answer { return &d.value }, true,
	}
	byAlias = question{
		func(a Arg) Origins { return a.Alias }, func(d *Decl) Origins { return d.Alias },
		func(d *declared) **answer { return &d.alias }, false,
	}
)

// resolve answers a question about Origins.
func (w *world) resolve(o Origins, q question) *answer {
	for _, d := range w.behind(o, q) {
		settle(d,
			func(d *declared) bool { return *q.known(d) != nil },
			func(d *declared) []*declared {
				*q.known(d) = newAnswer()
				return w.behind(q.result(d.Decl), q)
			},
			func(d *declared) bool { return (*q.known(d)).add(w.answer(q.result(d.Decl), q)) })
	}
	return w.answer(o, q)
}

// behind are the declarations of which Origins speak.
func (w *world) behind(o Origins, q question) (all []*declared) {
	add := func(key string) {
		if d := w.decl(key); d != nil {
			all = append(all, d)
		}
	}
	if q.values {
		for _, v := range o.Vars {
			add(v)
		}
	}
	for _, c := range o.Calls {
		add(c.Of)
		for _, a := range c.Args {
			all = append(all, w.behind(q.of(a), q)...)
		}
	}
	return all
}

// answer is resolve, by what is known so far.
func (w *world) answer(o Origins, q question) *answer {
	a := newAnswer()
	a.safe, a.unknown = o.Safe, o.Unknown
	for _, p := range o.Params {
		a.params[p] = true
	}
	for _, v := range o.Vars {
		a.vars[v] = true
		if d := w.decl(v); d != nil && q.values {
			initial := *q.known(d)
			a.safe, a.unknown = a.safe || initial.safe, a.unknown || initial.unknown
		}
	}
	for _, c := range o.Calls {
		d := w.decl(c.Of)
		if d == nil {
			continue
		}
		inner := *q.known(d)
		a.safe, a.unknown = a.safe || inner.safe, a.unknown || inner.unknown
		maps.Copy(a.vars, inner.vars)
		for p := range inner.params {
			if p < len(c.Args) {
				a.add(w.answer(q.of(c.Args[p]), q))
			}
		}
	}
	return a
}

// argument is what a call has for a parameter, if that can be told.
func (e Event) argument(param int) (a Arg, known bool) {
	switch {
	case e.Spread:
		return e.Args[0], true
	case param < len(e.Args):
		return e.Args[param], true
	}
	return a, false
}

// callees are the functions that a declaration calls or names.
func (w *world) callees(d *declared) (all []*declared) {
	for _, e := range d.Events {
		if e.Kind == refers {
			if to := w.decl(e.To); to != nil {
				all = append(all, to)
			}
		}
	}
	return all
}

// reading are the files that a declaration reads by their names, itself or by
// what it calls.
type reading struct {
	surely []read // whoever calls it
	given  []read // if its parameters are no names from mops
}

// read is a place where a file is read.
type read struct {
	event  Event
	in     *declared
	via    []*declared // from the declaration to that one
	params []int
}

func (w *world) reads(d *declared) *reading {
	settle(d,
		func(d *declared) bool { return d.files != nil },
		func(d *declared) []*declared { d.files = &reading{}; return w.callees(d) },
		w.findReads)
	return d.files
}

// findReads adds to what is known of the files that a declaration reads.
func (w *world) findReads(d *declared) (more bool) {
	for _, e := range d.Events {
		switch {
		case e.Kind == faulty && e.ByName:
			more = w.addRead(d, e.Origins, read{event: e, in: d}) || more
		case e.Kind == refers:
			to := w.decl(e.To)
			if to == nil || to == d {
				continue
			}
			for _, inner := range to.files.given {
				var o Origins
				for _, p := range inner.params {
					a, known := e.argument(p)
					o.add(a.Value)
					o.Unknown = o.Unknown || !known
				}
				more = w.addRead(d, o, read{event: inner.event, in: inner.in, via: append([]*declared{to}, inner.via...)}) || more
			}
		}
	}
	return more
}

// addRead adds a place where a name is made from Origins, if these are wrong or
// the parameters decide. It says whether that is new.
func (w *world) addRead(d *declared, o Origins, r read) bool {
	a := w.resolve(o, byValue)
	if a.safe || a.unknown {
		return false
	}
	list := &d.files.surely
	if len(a.params) > 0 {
		list = &d.files.given
		r.params = slices.Sorted(maps.Keys(a.params))
	}
	if slices.ContainsFunc(*list, func(known read) bool {
		return known.in == r.in && known.event.At == r.event.At && known.event.Name == r.event.Name && slices.Equal(known.params, r.params)
	}) {
		return false
	}
	*list = append(*list, r)
	return true
}

// change is what a declaration changes, itself or by what it passes to others.
type change struct {
	vars   map[string]bool
	params map[int]int // what parameters lead to, and how many calls away
}

// farthest bounds through how many calls a change is followed: the longer the way
// of a value, the less is it the same one.
const farthest = 3

func (w *world) changes(d *declared) *change {
	settle(d,
		func(d *declared) bool { return d.change != nil },
		func(d *declared) []*declared {
			d.change = &change{map[string]bool{}, map[int]int{}}
			return w.callees(d)
		},
		w.findChanges)
	return d.change
}

// findChanges adds to what is known of what a declaration changes.
func (w *world) findChanges(d *declared) (more bool) {
	note := func(o Origins, far int) {
		a := w.resolve(o, byAlias)
		for v := range a.vars {
			more = more || !d.change.vars[v]
			d.change.vars[v] = true
		}
		for p := range a.params {
			if known, ok := d.change.params[p]; !ok || far < known {
				d.change.params[p] = far
				more = true
			}
		}
	}
	for _, e := range d.Events {
		switch {
		case e.Kind == writes:
			note(e.Origins, 0)
		case e.Kind == refers && !e.Once:
			to := w.decl(e.To)
			if to == nil || to == d {
				continue
			}
			for _, p := range slices.Sorted(maps.Keys(to.change.params)) {
				if a, known := e.argument(p); known && to.change.params[p] < farthest {
					note(a.Alias, to.change.params[p]+1)
				}
			}
		}
	}
	return more
}

// changers are the declarations in the package of a variable that change it.
func (w *world) changers(v *declared) []*declared {
	if w.changed[v.in] == nil {
		found := map[string][]*declared{}
		for _, d := range v.in.Decls {
			by := w.decls[d.Key]
			for changed := range w.changes(by).vars {
				found[changed] = append(found[changed], by)
			}
		}
		w.changed[v.in] = found
	}
	return w.changed[v.in][v.Key]
}
