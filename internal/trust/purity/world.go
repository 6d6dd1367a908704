package purity

import (
	"cmp"
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

	late bool // it may run when main does: see late

	// What follows is known once it was asked for.
	value, alias *answer // of its result, or its initial value
	files        *reading
	change       *change
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
	w.late(p)
	return p
}

// late finds the declarations of a package that do not run before main only: what
// is exported, methods that an interface may call, what variables keep, and
// whatever these call. What is called Register is there to be called before main.
func (w *world) late(p *Package) {
	called := map[string]bool{}
	for _, d := range p.Decls {
		for _, e := range d.Events {
			called[e.To] = called[e.To] || e.Kind == refers
		}
	}
	var mark func(*declared)
	mark = func(d *declared) {
		if d == nil || d.in != p || d.late || d.Kind == anInit || d.Kind == aVar {
			return
		}
		d.late = true
		for _, e := range d.Events {
			if e.Kind == refers && !e.Once {
				mark(w.decls[e.To])
			}
		}
	}
	for _, d := range p.Decls {
		for _, e := range d.Events {
			if e.Kind == refers && !e.Called && !e.Once {
				mark(w.decls[e.To])
			}
		}
		exported := d.Exported && p.Name != "main" && !strings.HasPrefix(strings.TrimPrefix(d.name(), "Must"), "Register")
		if exported || d.Kind == aMethod && !called[d.Key] || p.Roots[d.Key] || p.Name == "main" && d.Base == "main" {
			mark(w.decls[d.Key])
		}
	}
}

// name is what a declaration is called without its type.
func (d *Decl) name() string { return d.Base[strings.LastIndex(d.Base, ".")+1:] }

// settle finds out something about a declaration and all that this depends on,
// which may be in a circle: it asks all of them again until nothing new comes.
func settle(d *declared, known func(*declared) bool, needs func(*declared) []*declared, ask func(*declared) (more bool)) {
	var all []*declared // each behind what it needs, circles apart
	seen := map[*declared]bool{}
	var add func(*declared)
	add = func(each *declared) {
		if each == nil || seen[each] || known(each) {
			return
		}
		seen[each] = true
		for _, other := range needs(each) {
			add(other)
		}
		all = append(all, each)
	}
	add(d)
	for more := true; more; {
		more = false
		for _, each := range all {
			more = ask(each) || more
		}
	}
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
