package purity

import (
	"cmp"
	"slices"
	"strings"
)

// world is all that is known of the packages of a program. It reads those that
// it comes to.
type world struct {
	own      map[string]func() (*Package, error) // how to read the user's own packages
	packages map[string]*Package                 // that were read
	decls    map[string]*declared
	changed  map[*Package]map[string][]*declared // see changers
	err      error                               // the first of reading
}

// declared is a declaration with what it does by what it calls.
type declared struct {
	*Decl
	in *Package

	calledBy   []reference // in its package
	files      *reading
	changes    map[string]bool // variables
	changesArg map[int]int     // what parameters lead to, and how many calls away
	early      *bool
}

type reference struct {
	from *declared
	once bool
}

// reading are the files that a declaration reads by their names.
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

func newWorld() *world {
	return &world{
		own: map[string]func() (*Package, error){}, packages: map[string]*Package{},
		decls: map[string]*declared{}, changed: map[*Package]map[string][]*declared{},
	}
}

// read reads a package, if it is one of the user's own.
func (w *world) read(path string) *Package {
	read := w.own[path]
	if p, known := w.packages[path]; known || read == nil {
		return p
	}
	p, err := read()
	if w.packages[path] = p; err != nil {
		w.err = cmp.Or(w.err, err)
		return nil
	}
	for _, d := range p.Decls {
		w.decls[d.Key] = &declared{Decl: d, in: p}
	}
	for _, d := range p.Decls {
		for _, e := range d.Events {
			if to := w.decls[e.To]; e.Kind == refers && to != nil && to.in == p {
				to.calledBy = append(to.calledBy, reference{w.decls[d.Key], e.Once})
			}
		}
	}
	return p
}

// decl finds a declaration by its key, which begins with the path of its package.
func (w *world) decl(key string) *declared {
	if d := w.decls[key]; d != nil {
		return d
	}
	w.packageOf(key)
	return w.decls[key]
}

// packageOf finds the package in which something is declared.
func (w *world) packageOf(key string) *Package {
	for i := strings.LastIndex(key, "/") + 1; i < len(key); i++ {
		if key[i] == '.' && w.own[key[:i]] != nil {
			return w.read(key[:i])
		}
	}
	return nil
}

// answer is what Origins come down to for one declaration.
type answer struct {
	safe, unknown bool
	params        map[int]bool
	vars          map[string]bool
}

// value resolves from what something is computed.
func (w *world) value(o Origins, deep int) answer {
	return w.resolve(o, deep, func(a Arg) Origins { return a.Value }, func(d *declared) Origins { return d.Result }, true)
}

// alias resolves which variables something has a part in common with.
func (w *world) alias(o Origins, deep int) answer {
	return w.resolve(o, deep, func(a Arg) Origins { return a.Alias }, func(d *declared) Origins { return d.Alias }, false)
}

// deepest bounds how far results of calls are followed.
const deepest = 12

func (w *world) resolve(o Origins, deep int, of func(Arg) Origins, result func(*declared) Origins, variables bool) answer {
	a := answer{o.Safe, o.Unknown, map[int]bool{}, map[string]bool{}}
	if deep > deepest {
		a.unknown = true
		return a
	}
	for _, p := range o.Params {
		a.params[p] = true
	}
	add := func(other answer) {
		a.safe, a.unknown = a.safe || other.safe, a.unknown || other.unknown
		for p := range other.params {
			a.params[p] = true
		}
		for v := range other.vars {
			a.vars[v] = true
		}
	}
	for _, v := range o.Vars {
		a.vars[v] = true
		if d := w.decl(v); d != nil && variables {
			initial := w.resolve(result(d), deep+1, of, result, variables)
			add(answer{safe: initial.safe, unknown: initial.unknown})
		}
	}
	for _, c := range o.Calls {
		d := w.decl(c.Of)
		if d == nil {
			continue
		}
		inner := w.resolve(result(d), deep+1, of, result, variables)
		add(answer{safe: inner.safe, unknown: inner.unknown, vars: inner.vars})
		for p := range inner.params {
			if p < len(c.Args) {
				add(w.resolve(of(c.Args[p]), deep+1, of, result, variables))
			}
		}
	}
	return a
}

// argument is what a call has for a parameter; the last one may stand for many.
func (e Event) argument(param int) (a Arg, known bool) {
	switch {
	case e.Spread:
		return e.Args[0], true
	case len(e.Args) == 0:
		return a, false
	}
	return e.Args[min(param, len(e.Args)-1)], true
}

// reads finds the files that a declaration reads, itself or by what it calls.
func (w *world) reads(d *declared) *reading {
	if d.files != nil {
		return d.files
	}
	d.files = &reading{} // for those who come here in a circle
	found := &reading{}
	note := func(o Origins, r read) {
		a := w.value(o, 0)
		switch {
		case a.safe || a.unknown:
		case len(a.params) > 0:
			for p := range a.params {
				r.params = append(r.params, p)
			}
			slices.Sort(r.params)
			found.given = append(found.given, r)
		default:
			found.surely = append(found.surely, r)
		}
	}
	for _, e := range d.Events {
		switch {
		case e.Kind == faulty && e.ByName:
			note(e.Origins, read{event: e, in: d})
		case e.Kind == refers:
			to := w.decl(e.To)
			if to == nil || to == d {
				continue
			}
			for _, inner := range w.reads(to).given {
				var o Origins
				for _, p := range inner.params {
					if a, known := e.argument(p); known {
						o.add(a.Value)
					} else {
						o.Unknown = true
					}
				}
				note(o, read{event: inner.event, in: inner.in, via: append([]*declared{to}, inner.via...)})
			}
		}
	}
	d.files = found
	return found
}

// change finds the variables that a declaration changes, itself or by what it
// passes to others.
func (w *world) change(d *declared) {
	if d.changes != nil {
		return
	}
	d.changes, d.changesArg = map[string]bool{}, map[int]int{}
	note := func(o Origins, far int) {
		a := w.alias(o, 0)
		for v := range a.vars {
			d.changes[v] = true
		}
		for p := range a.params {
			if known, ok := d.changesArg[p]; !ok || far < known {
				d.changesArg[p] = far
			}
		}
	}
	for _, e := range d.Events {
		switch e.Kind {
		case writes:
			note(e.Origins, 0)
		case refers:
			to := w.decl(e.To)
			if to == nil || to == d || e.Once {
				continue
			}
			w.change(to)
			for p, far := range to.changesArg {
				if a, known := e.argument(p); known && far < farthest {
					note(a.Alias, far+1)
				}
			}
		}
	}
}

// farthest bounds through how many calls a change is followed: the longer the way
// of a value, the less is it the same one.
const farthest = 3

// changers are the declarations in the package of a variable that change it.
func (w *world) changers(v *declared) []*declared {
	if w.changed[v.in] == nil {
		found := map[string][]*declared{}
		for _, d := range v.in.Decls {
			by := w.decls[d.Key]
			w.change(by)
			for changed := range by.changes {
				found[changed] = append(found[changed], by)
			}
		}
		w.changed[v.in] = found
	}
	return w.changed[v.in][v.Key]
}

// isEarly says that a declaration runs before main only: it is an init function
// or the value of a variable, or only such ones call it. Others may call what is
// exported, but what is called Register they call before main.
func (w *world) isEarly(d *declared) bool {
	if d.early != nil {
		return *d.early
	}
	yes := true
	d.early = &yes
	switch {
	case d.Kind == anInit || d.Kind == aVar:
		return true
	case d.in.Name == "main" && d.Base == "main":
		yes = false
	case d.Exported && d.in.Name != "main" && !strings.HasPrefix(strings.TrimPrefix(d.name(), "Must"), "Register"):
		yes = false
	case d.Kind == aMethod && len(d.calledBy) == 0:
		yes = false // by an interface
	case d.in.Roots[d.Key]:
		yes = false
	default:
		for _, r := range d.calledBy {
			yes = yes && (r.once || r.from == d || w.isEarly(r.from))
		}
	}
	return yes
}

// name is what a declaration is called without its type.
func (d *Decl) name() string { return d.Base[strings.LastIndex(d.Base, ".")+1:] }
