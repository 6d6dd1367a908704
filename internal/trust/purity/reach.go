package purity

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// reach goes from a function to all that it may run, on the shortest ways.
type reach struct {
	world    *world
	home     *Package
	function *fingerprint.Definition
	seen     map[visit]*step
	todo     []*step
	found    []*Finding
	known    map[spot]bool

	counted   []code.Callee   // functions whose versions are in the memo key
	called    map[string]bool // methods of interfaces, by name
	converted []conversion
	variables []variable
}

// spot is a place that is reported once.
type spot struct {
	class Class
	what  string
	file  string
	line  int
}

// visit is a declaration, as it runs in a call or before main.
type visit struct {
	*declared
	early bool
}

// step is how a declaration is reached.
type step struct {
	visit
	from *step
}

type conversion struct {
	event Event
	from  *step
}

// variable is a place where a variable is read.
type variable struct {
	of    *declared
	event Event
	from  *step
}

func (w *world) check(d *fingerprint.Definition, root string) []*Finding {
	start := w.decl(root)
	if start == nil {
		return nil
	}
	r := &reach{
		world: w, home: w.read(d.Package), function: d,
		seen: map[visit]*step{}, known: map[spot]bool{}, called: map[string]bool{},
	}
	first := &step{visit: visit{start, false}}
	r.seen[first.visit] = first
	r.todo = append(r.todo, first)
	for _, each := range w.reads(start).given {
		r.file(first, each)
	}
	for len(r.todo) > 0 {
		next := r.todo[0]
		r.todo = r.todo[1:]
		r.step(next)
		if len(r.todo) == 0 {
			r.methods()
		}
	}
	r.changed()
	slices.SortStableFunc(r.found, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.What, b.What))
	})
	return r.found
}

// reached notes that a declaration runs.
func (r *reach) reached(key string, from *step, early bool) {
	d := r.world.decl(key)
	if d == nil {
		return
	}
	v := visit{d, early}
	if r.seen[v] != nil || early && r.seen[visit{d, false}] != nil {
		return
	}
	s := &step{v, from}
	r.seen[v] = s
	r.todo = append(r.todo, s)
}

// step looks at what a declaration does.
func (r *reach) step(s *step) {
	for _, each := range r.world.reads(s.declared).surely {
		r.file(s, each)
	}
	for _, e := range s.Events {
		switch e.Kind {
		case faulty:
			if !e.ByName {
				r.report(s, nil, s.in, e.At, e.Class, e.Name, "")
			}
		case unasked:
			r.report(s, nil, s.in, e.At, Comment, e.Name, "")
		case refers:
			r.reached(e.To, s, s.early || e.Once)
		case reads:
			r.read(s, e)
		case calls:
			r.calls(s, e)
		case dynamic:
			r.called[e.Name] = true
		case converts:
			r.converted = append(r.converted, conversion{e, s})
		}
	}
}

// read is for a variable: what it has at the beginning counts, and so does what
// is done to it before main.
func (r *reach) read(s *step, e Event) {
	v := r.world.decl(e.To)
	if v == nil {
		return
	}
	r.reached(e.To, s, true)
	if !s.early {
		r.variables = append(r.variables, variable{v, e, s})
	}
	for _, by := range r.world.changers(v) {
		if by.Kind != aVar && !by.late {
			r.reached(by.Key, r.seen[visit{v, true}], true)
		}
	}
}

// methods reaches those of types that became interfaces: by the names under which
// they are called here, all those of interfaces of others, and those that
// reflection finds.
func (r *reach) methods() {
	for _, c := range r.converted {
		all := c.from.in.Methods[c.event.To]
		for _, name := range slices.Sorted(maps.Keys(all)) {
			ofOthers := c.event.Package != "" && r.world.own[c.event.Package] == nil && slices.Contains(c.event.Methods, name)
			if r.called[name] || ofOthers || slices.Contains(byReflection, name) {
				r.reached(all[name], c.from, c.from.early)
			}
		}
	}
}

// changed reports the variables that anything but the beginning changes.
func (r *reach) changed() {
	for _, v := range r.variables {
		by := r.changer(v.of)
		if by == nil {
			continue
		}
		file := fingerprint.Place(r.home.Module, by.in.Module, by.in.Path, by.At.File)
		r.report(v.from, nil, v.from.in, v.event.At, Variable, r.nameOf(v.of), r.nameOf(by)+" ("+place(file, by.At.Line)+")")
	}
}

// changer is a declaration that changes a variable later than before main: one in
// its package, whoever calls that, or one that the function runs.
func (r *reach) changer(v *declared) *declared {
	for _, by := range r.world.changers(v) {
		if by.late {
			return by
		}
	}
	var first *declared
	for s := range r.seen {
		if !s.early && s.Kind != aVar && r.world.changes(s.declared).vars[v.Key] && (first == nil || s.Key < first.Key) {
			first = s.declared
		}
	}
	return first
}

// calls reports a function of mops that is called, and that neither the Calls of
// the function name nor those of a function that they name.
func (r *reach) calls(s *step, e Event) {
	if r.function.Open || s.early {
		return
	}
	if r.counted == nil {
		self := code.Callee{Name: r.function.Name, Var: r.home.Path + "." + r.function.Var}
		r.count(append([]code.Callee{self}, r.function.Calls...))
	}
	called := r.world.callee(code.Callee{Name: e.Name, Var: e.To})
	if !slices.ContainsFunc(r.counted, func(c code.Callee) bool { return same(called, c) }) {
		r.report(s, nil, s.in, e.At, Calls, cmp.Or(called.Name, called.Var), "")
	}
}

// count adds functions whose versions are in the memo key.
func (r *reach) count(list []code.Callee) {
	for _, c := range list {
		c = r.world.callee(c)
		if slices.ContainsFunc(r.counted, func(known code.Callee) bool { return same(c, known) }) {
			continue
		}
		r.counted = append(r.counted, c)
		if d := r.world.decl(c.Var); d != nil && len(r.counted) > 1 { // the first is the function itself
			for _, inner := range d.in.Calls[c.Var] {
				r.count([]code.Callee{{Var: inner}})
			}
		}
	}
}

// callee finds the name that a function of mops has, and the variable that had
// it first.
func (w *world) callee(c code.Callee) code.Callee {
	for range 20 {
		d := w.decl(c.Var)
		if d == nil {
			break
		}
		if d.Memo != "" {
			c.Name = d.Memo
		}
		if d.Same == "" {
			break
		}
		c.Var = d.Same
	}
	return c
}

func same(a, b code.Callee) bool {
	return a.Name != "" && a.Name == b.Name || a.Var != "" && a.Var == b.Var
}

func (r *reach) file(s *step, each read) {
	r.report(s, each.via, each.in.in, each.event.At, Files, each.event.Name, "")
}

// report notes a finding, once for a place.
func (r *reach) report(s *step, via []*declared, in *Package, at Place, class Class, what, by string) {
	f := Finding{
		Function: cmp.Or(r.function.Name, r.function.Var, r.function.Func), Class: class, What: what, By: by,
		File: fingerprint.Place(r.home.Module, in.Module, in.Path, at.File), Line: at.Line,
		in: in.Path, at: at, definition: r.function,
	}
	here := spot{class, what, f.File, f.Line}
	if class == Variable {
		here = spot{class, what, s.Key, 0} // once in a function
	}
	if r.known[here] {
		return
	}
	r.known[here] = true
	for ; s.from != nil; s = s.from {
		f.Path = append(f.Path, r.nameOf(s.declared))
	}
	slices.Reverse(f.Path)
	for _, d := range via {
		f.Path = append(f.Path, r.nameOf(d))
	}
	r.found = append(r.found, &f)
}

// nameOf is what people call a declaration, with its package if that is another.
// A function of mops without a name of its own has the one in mops.
func (r *reach) nameOf(d *declared) string {
	if d.in != r.home && !strings.Contains(d.Base, "/") {
		return d.in.Name + "." + d.Base
	}
	return d.Base
}
